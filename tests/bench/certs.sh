#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes what the peers of the bench need into DIR: a CA, a server certificate for 127.0.0.1 and
# localhost, and a client identity (key, certificate and CA in one PEM file). P-256 throughout,
# like the certificates that tacit-server issues.
set -eu
dir=$1
cd "$dir"

new_key() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

issue() { # NAME SUBJECT EXTENSIONS
	new_key "$1.key"
	printf '%s\n' "$3" >"$1.ext"
	openssl req -new -key "$1.key" -subj "$2" |
		openssl x509 -req -sha256 -days 2 -CA ca.crt -CAkey ca.key -CAcreateserial \
			-extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

umask 077
new_key ca.key
openssl req -new -x509 -sha256 -key ca.key -days 2 -subj /CN=bench -out ca.crt \
	-addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
issue server /CN=localhost "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1"
issue client /CN=web "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectAltName=URI:tacit://bench/client/web"
cat client.key client.crt ca.crt >client.pem
