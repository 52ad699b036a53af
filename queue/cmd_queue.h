/*
 * cmd_queue: what the commands `postrider queue …` share: which messages are meant, and
 * how a message is shown.
 */
#ifndef QUEUE_CMD_QUEUE_H
#define QUEUE_CMD_QUEUE_H

#include "queue/cmd.h"
#include "queue/listing.h"

/* The filters of list, retry and remove. */
struct cmd_queue_filter {
	const char *sender, *recipient, *domain; /* NULL: any */
};

#define CMD_QUEUE_FILTER_OPTIONS 3

/* The options --sender, --recipient, --domain that fill in f. */
void cmd_queue_filter_options(
    struct cmd_queue_filter *f, struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS]);

/* Adds the filter's fields, and id= unless id is NULL. */
void cmd_queue_filter_add(const struct cmd_queue_filter *f, const char *id, struct wire_out *w);
bool cmd_queue_filter_is_empty(const struct cmd_queue_filter *f);

/* A message with its recipients, as text and as JSON. */
void cmd_queue_print_message(const struct listing_message *m);
json_t *cmd_queue_message_to_json(const struct listing_message *m);

#endif
