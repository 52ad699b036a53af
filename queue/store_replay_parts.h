/*
 * store_replay_parts: what store_replay.c, store_replay_message.c and store_replay_outcome.c share and nobody else
 * sees.
 */
#ifndef QUEUE_STORE_REPLAY_PARTS_H
#define QUEUE_STORE_REPLAY_PARTS_H

#include "queue/store_replay.h"

/* Takes n decimal numbers, each with the space behind it, off *rest. 0, or -1: they are not there. */
int replay_take_numbers(struct span *rest, uint64_t *v, size_t n);

/* The segment of the fields "large number generation", if it still has this life; else NULL. */
struct spool_segment *replay_find_life(struct replay *rp, const uint64_t v[3]);

/* It is accounted for up to offset, if not further. */
void replay_account(struct spool_segment *s, uint64_t offset);

/* Nobody asks any more where this message stood. */
void replay_forget_place(struct replay *rp, uint64_t number);

/* A record each, without its letter. 0, or -1: it is not understood. */
int replay_apply_message(struct replay *rp, struct span rest);
int replay_apply_moved(struct replay *rp, struct span rest);
int replay_apply_settled(struct replay *rp, struct span rest);
int replay_apply_deferred(struct replay *rp, struct span rest);
int replay_apply_failed(struct replay *rp, struct span rest);
int replay_apply_succeeded(struct replay *rp, struct span rest);
int replay_apply_held(struct replay *rp, struct span rest);
int replay_apply_released(struct replay *rp, struct span rest);
int replay_apply_requeued(struct replay *rp, struct span rest);
int replay_apply_expansion(struct replay *rp, struct span rest);
int replay_apply_told(struct replay *rp, struct span rest);
int replay_apply_warned(struct replay *rp, struct span rest);

#endif
