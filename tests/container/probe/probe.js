// SPDX-License-Identifier: MIT
// The probe for images that hold node and no shell: prints what probe.c prints.
'use strict';

const fs = require('node:fs');

const TMPFS_MAGIC = 0x01021994;
const STATUS_ON_SIGTERM = 43;

function crc32(bytes) {
	let crc = -1;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
	}
	return (~crc >>> 0).toString(16).padStart(8, '0');
}

function describe(variable) {
	const path = process.env[variable] ?? '(unset)';
	try {
		const bytes = fs.readFileSync(path);
		const status = fs.statSync(path);
		const { type } = fs.statfsSync(path);
		return `${path} mode=${(status.mode & 0o7777).toString(8)} ` +
			`owner=${status.uid}:${status.gid} fs=${type === TMPFS_MAGIC ? 'tmpfs' : 'other'} ` +
			`crc32=${crc32(bytes)} bytes=${bytes.length}`;
	} catch (error) {
		return `${path}: ${error.code}`;
	}
}

const names = fs.readFileSync('/proc/self/environ', 'latin1').split('\0').filter(Boolean)
	.map((entry) => entry.split('=', 1)[0]);

process.on('SIGTERM', () => process.exit(STATUS_ON_SIGTERM));
setInterval(() => {}, 1 << 30);
console.log([
	'begin',
	`pid ${process.pid}`,
	`user ${process.getuid()}:${process.getgid()}`,
	...process.argv.slice(2).map((variable) => `file ${variable} ${describe(variable)}`),
	...names.map((name) => `variable ${name}`),
	'ready',
].join('\n'));
