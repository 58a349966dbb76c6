// SPDX-License-Identifier: MIT
// Shows what a developer's app gets from the agent: the path of a file for each secret.
'use strict';

const fs = require('node:fs');

for (const name of ['DB_PASSWORD', 'API_KEY']) {
	const path = process.env[`${name}_FILE`];
	if (!path) {
		console.error(`${name}_FILE is not set: start me with tacit-agent run --env-file .env`);
		process.exit(1);
	}
	const mode = (fs.statSync(path).mode & 0o777).toString(8).padStart(4, '0');
	const inherited = name in process.env ? 'and also in the environment' : 'not in the environment';
	console.log(`${name}: ${path}, mode ${mode}, ${fs.readFileSync(path).length} bytes, ${inherited}`);
}
