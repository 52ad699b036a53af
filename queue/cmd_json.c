/* cmd_json: JSON for programs. See cmd_json.h. Called by the commands of postrider(8). */
#include "queue/cmd_json.h"

#include <stdio.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/log.h"

json_t *
cmd_json_string(struct span s)
{
	json_t *json = json_stringn(s.len > 0 ? s.p : "", s.len);
	struct buf escaped;

	if (json != NULL)
		return json;
	buf_init(&escaped, 4 * s.len + 1);
	log_escape(&escaped, s);
	json = json_stringn(buf_str(&escaped), escaped.len);
	buf_release(&escaped);
	return json;
}

json_t *
cmd_json_unless_empty(struct span s)
{
	return s.len > 0 ? cmd_json_string(s) : json_null();
}

json_t *
cmd_json_text(const char *s)
{
	return s != NULL ? cmd_json_string(span_str(s)) : json_null();
}

void
cmd_json_set(json_t *object, const char *name, struct span value)
{
	json_object_set_new(object, name, cmd_json_string(value));
}

json_t *
cmd_json_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

int
cmd_json_print(json_t *json)
{
	int r =
	    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

	putchar('\n');
	json_decref(json);
	return r == 0 ? 0 : EX_IOERR;
}

void
cmd_json_array_begin(const char *name)
{
	printf("{\n  \"%s\": [", name);
}

static void
dump(json_t *json)
{
	(void)json_dumpf(
	    json, stdout, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	json_decref(json);
}

void
cmd_json_array_add(json_t *element, bool first)
{
	fputs(first ? "\n    " : ",\n    ", stdout);
	dump(element);
}

void
cmd_json_array_end(void)
{
	fputs("\n  ]", stdout);
}

void
cmd_json_array_member(const char *name, json_t *value)
{
	printf(",\n  \"%s\": ", name);
	dump(value);
}

int
cmd_json_array_finish(void)
{
	fputs("\n}\n", stdout);
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : EX_IOERR;
}
