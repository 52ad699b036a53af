/*
 * spool_hand: the segments a writer has in hand, in the order it was given them:
 * it writes to the first, and goes on with the next when that one is full. Used by
 * spool_writer alone.
 */
#ifndef QUEUE_SPOOL_HAND_H
#define QUEUE_SPOOL_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct spool_held {
	TAILQ_ENTRY(spool_held) link;
	uint64_t number, generation, instance, size;
	uint64_t
	    at; /* where the next batch goes; everything below is durable or being flushed */
	uint64_t durable; /* everything below is on disk */
	uint64_t batch;	  /* flushes so far */
	uint64_t count;	  /* message numbers given out */
	int fd;
};

struct spool_hand {
	TAILQ_HEAD(spool_held_list, spool_held) segments;
	/* Of the last that went: where numbers go on while there is none. */
	uint64_t generation, count;
};

void spool_hand_init(struct spool_hand *h);

/* Closes what is left. */
void spool_hand_release(struct spool_hand *h);

/* what is copied; its descriptor is taken. */
void spool_hand_add(struct spool_hand *h, const struct spool_held *what);
void spool_hand_remove(struct spool_hand *h, struct spool_held *s);

/* The one to write to now, and the one that comes after all others; NULL if there is none. */
struct spool_held *spool_hand_first(const struct spool_hand *h);
struct spool_held *spool_hand_last(const struct spool_hand *h);

/* Does a batch of n octets, before padding, fit? */
bool spool_held_fits(const struct spool_held *s, uint64_t n);

/* A message number never given before, 0 if no segment has any left, or there never was one. */
uint64_t spool_hand_next_message(struct spool_hand *h);

#endif
