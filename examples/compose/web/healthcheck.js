// SPDX-License-Identifier: MIT
// Exits 0 when the server answers; an image without a shell has no curl either.
'use strict';

const http = require('node:http');

const url = `http://127.0.0.1:${process.env.PORT ?? 8080}/healthz`;

http.get(url, { timeout: 2000 }, (response) => process.exit(response.statusCode === 200 ? 0 : 1))
	.on('timeout', () => process.exit(1))
	.on('error', () => process.exit(1));
