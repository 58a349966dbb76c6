// SPDX-License-Identifier: MIT
// What the world sees: it hands each request on to the api, and can reach nothing else.
'use strict';

const http = require('node:http');

const port = Number(process.env.PORT ?? 8080);
const api = process.env.API_URL ?? 'http://api:8080/';

function refuse(response, error) {
	response.writeHead(502, { 'content-type': 'text/plain' });
	response.end(`the api does not answer: ${error.code}\n`);
}

function handOn(request, response) {
	if (request.url === '/healthz') return response.end('ok\n');
	return http.get(api, (answer) => {
		response.writeHead(answer.statusCode, { 'content-type': 'text/plain' });
		answer.pipe(response);
	}).on('error', (error) => refuse(response, error));
}

const server = http.createServer(handOn);
server.listen(port);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
