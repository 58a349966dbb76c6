/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS   1024
#define KEY_BYTES 9 /* the family, and an IPv4 address or half an IPv6 one */

struct peer {
	struct peer *next;
	uint8_t key[KEY_BYTES];
	unsigned connections;
};

struct peers {
	unsigned limit;
	/* Hashed under a key of our own, so that nobody can choose addresses that collide. */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	pthread_mutex_t mutex;
	struct peer *buckets[BUCKETS];
};

struct peers *peers_new(unsigned limit)
{
	struct peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return NULL;

	peers->limit = limit;
	crypto_shorthash_keygen(peers->hash_key);
	(void)pthread_mutex_init(&peers->mutex, NULL);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct peer *at = peers->buckets[i], *next; at; at = next) {
			next = at->next;
			free(at);
		}
	}
	(void)pthread_mutex_destroy(&peers->mutex);
	free(peers);
}

/* IPv4 is the same over a socket of either family. */
static bool key_of(const struct sockaddr *address, uint8_t ret_key[static KEY_BYTES])
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
	bool mapped = address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);

	memset(ret_key, 0, KEY_BYTES);
	if (address->sa_family == AF_INET || mapped) {
		ret_key[0] = 4;
		memcpy(ret_key + 1,
		    mapped ? six->sin6_addr.s6_addr + 12 : (const uint8_t *)&four->sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		ret_key[0] = 6;
		memcpy(ret_key + 1, six->sin6_addr.s6_addr, 8);
	}

	return ret_key[0] != 0;
}

/* The place that holds the peer, or that a new one would go into. */
static struct peer **peer_place(struct peers *peers, const uint8_t key[static KEY_BYTES])
{
	uint8_t hash[crypto_shorthash_BYTES];
	struct peer **place;

	(void)crypto_shorthash(hash, key, KEY_BYTES, peers->hash_key);
	place = &peers->buckets[(hash[0] | hash[1] << 8) % BUCKETS];
	while (*place && memcmp((*place)->key, key, KEY_BYTES) != 0)
		place = &(*place)->next;
	return place;
}

bool peers_full(struct peers *peers, const struct sockaddr *address)
{
	uint8_t key[KEY_BYTES];
	const struct peer *peer;
	bool full;

	if (!key_of(address, key))
		return false;

	(void)pthread_mutex_lock(&peers->mutex);
	peer = *peer_place(peers, key);
	full = peer && peer->connections >= peers->limit;
	(void)pthread_mutex_unlock(&peers->mutex);
	return full;
}

struct peer *peers_enter(struct peers *peers, const struct sockaddr *address)
{
	uint8_t key[KEY_BYTES];
	struct peer **place, *peer;

	if (!key_of(address, key))
		return NULL;

	(void)pthread_mutex_lock(&peers->mutex);
	place = peer_place(peers, key);
	if (!*place) {
		*place = calloc(1, sizeof(**place));
		if (*place)
			memcpy((*place)->key, key, KEY_BYTES);
	}
	peer = *place;
	if (peer)
		peer->connections++;
	(void)pthread_mutex_unlock(&peers->mutex);
	return peer;
}

void peers_leave(struct peers *peers, struct peer *peer)
{
	struct peer **place;

	if (!peer)
		return;

	(void)pthread_mutex_lock(&peers->mutex);
	if (--peer->connections == 0) {
		place = peer_place(peers, peer->key);
		*place = peer->next;
		free(peer);
	}
	(void)pthread_mutex_unlock(&peers->mutex);
}
