/*
 * keys: the process that holds the private keys of TLS certificates and signs with them for smtpd.
 * Started by postriderd; asked over smtpd/keys, gets certificate and key files through
 * keys/directory (doc/IPC.md). It opens no file and talks to nobody else.
 */
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/process.h"
#include "conf/keys.h"

struct program {
	struct process *process;
	struct keys *keys;
	struct service *service;
	int fd; /* of the socket smtpd/keys, until it is served */
};

static void
on_up(struct client *c, void *arg)
{
	struct program *p = arg;

	keys_on_up(p->keys, c);
}

static void
on_down(struct client *c, void *arg)
{
	struct program *p = arg;

	if (p->keys != NULL)
		keys_on_down(p->keys, c);
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct program *p = arg;

	if (keys_on_message(p->keys, c, m) != 0)
		client_drop(c, "asks what this socket does not allow, or makes no sense");
}

static const struct service_ops service_ops = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message};

/* Nothing here depends on the configuration. */
static int
on_settings(struct process *process, struct wire_msg *m, void *arg)
{
	(void)process, (void)m, (void)arg;
	return 0;
}

static void
on_listener(struct process *process, struct wire_msg *m, int fd, void *arg)
{
	struct program *p = arg;

	(void)process, (void)m;
	if (p->fd >= 0)
		fatalx("postriderd has more than one socket for keys");
	p->fd = fd;
}

static void
on_start(struct process *process, void *arg)
{
	struct program *p = arg;

	if (p->fd < 0)
		fatalx("postriderd has no socket for keys");
	p->process = process;
	p->keys = keys_new(process_base(process), process_socket(process, "directory"));
	p->service = service_new(process_base(process), p->fd, "smtpd/keys",
	    process_uid_of(process, "smtpd"), &service_ops, p);
}

/* A handshake that waits for a signature fails, and its client comes again. */
static void
on_stop(struct process *process, void *arg)
{
	struct program *p = arg;

	keys_free(&p->keys);
	service_free(&p->service);
	process_exit(process);
}

static const struct process_ops ops = {
    .name = "keys",
    .on_settings = on_settings,
    .on_listener = on_listener,
    .on_start = on_start,
    .on_stop = on_stop,
};

int
main(void)
{
	struct program p = {.fd = -1};
	OSSL_PROVIDER *algorithms;
	int status;

	/* What the algorithms do is not to depend on a file of the system. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    (algorithms = OSSL_PROVIDER_load(NULL, "default")) == NULL)
		fatalx("OpenSSL cannot be used");
	status = process_run(&ops, &p);
	OSSL_PROVIDER_unload(algorithms);
	return status;
}
