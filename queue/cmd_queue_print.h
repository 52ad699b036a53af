/*
 * cmd_queue_print: a message of a listing as text for people, and as JSON (postrider(8) names the keys).
 */
#ifndef QUEUE_CMD_QUEUE_PRINT_H
#define QUEUE_CMD_QUEUE_PRINT_H

#include "queue/cmd.h"
#include "queue/listing.h"

/* A message with its recipients; of one that is continued, only further recipients. */
void cmd_queue_print_message(const struct listing_message *m);
json_t *cmd_queue_message_to_json(const struct listing_message *m);

/* Appends the recipients of m to "recipients" of what cmd_queue_message_to_json made. */
void cmd_queue_recipients_to_json(const struct listing_message *m, json_t *json);

/* With all that only show knows. */
void cmd_queue_print_details(const struct listing_message *m);
json_t *cmd_queue_details_to_json(const struct listing_message *m);
void cmd_queue_recipient_details_to_json(const struct listing_message *m, json_t *json);

#endif
