/* fsck_json: a report of queue/fsck.h as JSON. See fsck_show.h; the members are described in postrider(8). */
#include <inttypes.h>
#include <stdio.h>

#include "queue/fsck_show.h"

static json_t *
journal_to_json(const struct fsck_report *r)
{
	static const char *const states[] = {"whole", "cut", "damaged", "missing"};
	json_t *json = json_object(), *files = json_array();

	json_object_set_new(json, "whole", json_boolean(r->journal_whole));
	json_object_set_new(json, "checkpoint", cmd_json_number(r->checkpoint));
	json_object_set_new(json, "reserve", cmd_json_number(r->reserve));
	for (size_t i = 0; i < r->njournal; i++) {
		const struct fsck_journal_file *f = &r->journal[i];
		json_t *one = json_object();

		json_object_set_new(one, "file", cmd_json_text(f->name));
		json_object_set_new(one, "state", cmd_json_text(states[f->result.state]));
		json_object_set_new(one, "used", json_boolean(f->used));
		json_object_set_new(one, "records", cmd_json_number(f->result.records));
		json_object_set_new(one, "size", cmd_json_number(f->result.size));
		if (f->result.state == JOURNAL_FILE_DAMAGED)
			json_object_set_new(one, "damaged-at", cmd_json_number(f->result.end));
		json_array_append_new(files, one);
	}
	json_object_set_new(json, "files", files);
	return json;
}

static json_t *
segments_to_json(const struct fsck_report *r)
{
	json_t *json = json_array();

	for (size_t i = 0; i < r->nsegments; i++) {
		const struct fsck_segment *s = &r->segments[i];
		json_t *one = json_object();

		json_object_set_new(one, "file", cmd_json_text(s->name));
		json_object_set_new(one, "large", json_boolean(s->large));
		json_object_set_new(one, "own", json_boolean(s->own));
		json_object_set_new(
		    one, "header", cmd_json_text(s->headless ? "damaged" : "good"));
		json_object_set_new(one, "generation", cmd_json_number(s->generation));
		json_object_set_new(one, "size", cmd_json_number(s->size));
		json_object_set_new(one, "accounted", cmd_json_number(s->accounted));
		json_object_set_new(one, "complete", json_boolean(s->complete));
		json_object_set_new(one, "records", cmd_json_number(s->records));
		json_object_set_new(one, "in-queue", cmd_json_number(s->live));
		json_object_set_new(one, "live-octets", cmd_json_number(s->live_octets));
		json_object_set_new(one, "not-in-journal", cmd_json_number(s->unknown));
		json_object_set_new(one, "earlier-lives", cmd_json_number(s->scan.earlier));
		json_object_set_new(one, "damaged", cmd_json_number(s->scan.damaged));
		json_object_set_new(one, "cut", cmd_json_number(s->scan.cut));
		json_object_set_new(
		    one, "unreadable-pages", cmd_json_number(s->scan.unreadable));
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
lost_to_json(const struct fsck_report *r)
{
	static const char *const states[] = {"missing", "damaged", "unreadable"};
	json_t *json = json_array();
	char id[SPOOL_ID_SIZE];

	for (size_t i = 0; i < r->nbad; i++) {
		const struct fsck_message *b = &r->bad[i];
		json_t *one = json_object();

		json_object_set_new(one, "id", cmd_json_text(spool_id_format(b->number, id)));
		json_object_set_new(one, "state", cmd_json_text(states[b->state]));
		json_object_set_new(one, "file", cmd_json_text(b->file));
		json_object_set_new(one, "offset", cmd_json_number(b->offset));
		json_object_set_new(one, "sender", cmd_json_text(b->sender));
		json_object_set_new(one, "recipients", cmd_json_number(b->recipients));
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
kept_to_json(const struct fsck_report *r)
{
	json_t *json = json_array();

	for (size_t i = 0; i < r->nkept; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "file", cmd_json_text(r->kept[i].name));
		json_object_set_new(one, "size", cmd_json_number(r->kept[i].size));
		json_object_set_new(one, "reason", cmd_json_text(r->kept[i].reason));
		json_array_append_new(json, one);
	}
	return json;
}

static json_t *
findings_to_json(const struct fsck_report *r)
{
	json_t *json = json_array();

	for (size_t i = 0; i < r->nfindings; i++) {
		const struct fsck_finding *f = &r->findings[i];
		json_t *one = json_object();

		json_object_set_new(one, "severity",
		    cmd_json_text(f->severity == FSCK_PROBLEM ? "problem" : "note"));
		json_object_set_new(one, "file", cmd_json_text(f->file));
		json_object_set_new(one, "text", cmd_json_text(f->text));
		json_object_set_new(one, "repaired", json_boolean(f->cured));
		json_array_append_new(json, one);
	}
	return json;
}

json_t *
fsck_show_json(const struct fsck_report *r, const char *spool, bool repair)
{
	json_t *json = json_object(), *space = json_object();
	char instance[24];

	snprintf(instance, sizeof instance, "%016" PRIx64, r->instance);
	json_object_set_new(json, "spool", cmd_json_text(spool));
	json_object_set_new(json, "instance", cmd_json_text(instance));
	json_object_set_new(json, "running", json_boolean(r->running));
	json_object_set_new(json, "repair", json_boolean(repair));
	json_object_set_new(json, "clean", json_boolean(!fsck_has_problem(r, false)));
	json_object_set_new(json, "messages", cmd_json_number(r->messages));
	json_object_set_new(json, "recipients", cmd_json_number(r->recipients));
	json_object_set_new(json, "octets", cmd_json_number(r->octets));
	json_object_set_new(json, "not-in-journal", cmd_json_number(r->unknown));
	json_object_set_new(space, "size", cmd_json_number(r->size));
	json_object_set_new(space, "free", cmd_json_number(r->room));
	json_object_set_new(space, "inodes-free", cmd_json_number(r->inodes));
	json_object_set_new(json, "space", space);
	json_object_set_new(json, "journal", journal_to_json(r));
	json_object_set_new(json, "segments", segments_to_json(r));
	json_object_set_new(json, "lost", lost_to_json(r));
	json_object_set_new(json, "corrupt", kept_to_json(r));
	json_object_set_new(json, "findings", findings_to_json(r));
	return json;
}
