/*
 * message_map: every message in the queue, by its number. As common/idmap, but a
 * slot is a pointer alone, since a message knows its number: with a million
 * messages the table is a sixth of the memory otherwise. It is many small tables,
 * so that growing one is no pause that anybody notices. Walking it fetches ahead.
 */
#ifndef QUEUE_MESSAGE_MAP_H
#define QUEUE_MESSAGE_MAP_H

#include "queue/message.h"

#define MESSAGE_MAP_TABLES 256

struct message_map_table {
	struct message *
	    *slots; /* cap of them, a power of two; NULL until the first insertion */
	uint32_t cap, count;
};

struct message_map {
	struct message_map_table tables[MESSAGE_MAP_TABLES];
	size_t count;
};

/* An empty map. Allocates nothing. */
void message_map_init(struct message_map *map);

/* Frees the map's own memory, not the messages; it is empty then. */
void message_map_release(struct message_map *map);

struct message *message_map_find(const struct message_map *map, uint64_t number);

/* 0, or -1 (and nothing changed) if there is one with its number. */
int message_map_insert(struct message_map *map, struct message *m);

/* Takes a message out and returns it, or NULL if it was not there. */
struct message *message_map_remove(struct message_map *map, uint64_t number);

size_t message_map_count(const struct message_map *map);

/* All messages, in no order: size_t at = 0, NULL at the end. The map must not change meanwhile. */
struct message *message_map_next(const struct message_map *map, size_t *at);

#endif
