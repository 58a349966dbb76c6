// SPDX-License-Identifier: MIT
// A small service that needs a database password. It reads the file that DB_PASSWORD_FILE names,
// as it would under `docker secret`; it knows nothing of Tacit.
'use strict';

const fs = require('node:fs');
const http = require('node:http');

const port = Number(process.env.PORT ?? 8080);

function databasePassword() {
	const path = process.env.DB_PASSWORD_FILE;
	if (!path) throw new Error('DB_PASSWORD_FILE is not set');
	return fs.readFileSync(path);
}

function answer(request, response) {
	const healthy = request.url === '/healthz';
	response.writeHead(healthy ? 200 : 404, { 'content-type': 'text/plain' });
	response.end(healthy ? 'ok\n' : 'not found\n');
}

try {
	databasePassword();
} catch (error) {
	console.error(`server: ${error.message}`);
	process.exit(1);
}

const server = http.createServer(answer);
server.listen(port, () => {
	console.log(`listening on port ${port}, password read from ${process.env.DB_PASSWORD_FILE}`);
});
process.on('SIGTERM', () => server.close(() => process.exit(0)));
