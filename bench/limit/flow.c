/* What the broker can do at most: the messages of cases through quorum queues with confirms, and nothing else.
 *
 * LIMIT_AMQP_URL=amqp://... flow WINDOW NAME:QUEUES:MESSAGES-PER-CASE:BYTES ...
 *
 * Each stream is published by one thread and read by another, each on a connection of its own. No stream is more than
 * WINDOW cases ahead of the last case that is whole: all its messages read, and written to the database by whoever
 * started this, who says so in numbers on standard input. Standard output has the number of cases whose messages are
 * all read. Ends with its input; exits with 1, and a word on standard error, as soon as a message is not taken.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STREAMS = 8, UNCONFIRMED = 500, PREFETCH = 500, ACK_EVERY = 50, CHANNEL = 1, NAME = 64, TELL_EVERY_MS = 10 };

struct stream {
    char name[32];
    int queues;
    double per_case;
    size_t bytes;
    atomic_long read;
};

static struct stream streams[MOST_STREAMS];
static int stream_count;
static long window;
static atomic_long written;
static atomic_int running = 1;

static void fail(const char *what) {
    fprintf(stderr, "flow: %s\n", what);
    _exit(1);
}

static void want(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

static amqp_connection_state_t connected(void) {
    char *url = strdup(getenv("LIMIT_AMQP_URL"));
    struct amqp_connection_info at;
    if (amqp_parse_url(url, &at)) fail("LIMIT_AMQP_URL is none");
    amqp_connection_state_t state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(state);
    if (!socket || amqp_socket_open(socket, at.host, at.port)) fail("the broker does not answer");
    want(amqp_login(state, at.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, at.user, at.password),
         "the broker does not let us in");
    amqp_channel_open(state, CHANNEL);
    want(amqp_get_rpc_reply(state), "no channel");
    free(url);
    return state;
}

static void closed(amqp_connection_state_t state) {
    amqp_connection_close(state, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(state);
}

static amqp_bytes_t queue_of(const struct stream *one, int number, char *name, size_t size) {
    snprintf(name, size, "limit.%.31s.%d", one->name, number);
    return amqp_cstring_bytes(name);
}

static void declare_all(amqp_connection_state_t state) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-queue-type")};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes("quorum");
    amqp_table_t arguments = {.num_entries = 1, .entries = &entry};
    char name[NAME];
    for (int s = 0; s < stream_count; s++)
        for (int q = 0; q < streams[s].queues; q++) {
            amqp_queue_declare(state, CHANNEL, queue_of(&streams[s], q, name, sizeof name), 0, 1, 0, 0, arguments);
            want(amqp_get_rpc_reply(state), "a queue cannot be made");
        }
}

static void delete_all(amqp_connection_state_t state) {
    char name[NAME];
    for (int s = 0; s < stream_count; s++)
        for (int q = 0; q < streams[s].queues; q++)
            amqp_queue_delete(state, CHANNEL, queue_of(&streams[s], q, name, sizeof name), 0, 0);
}

/* How many cases are read whole in every stream. */
static long read_whole(void) {
    long whole = -1;
    for (int s = 0; s < stream_count; s++) {
        long cases = (long)((double)atomic_load(&streams[s].read) / streams[s].per_case);
        if (whole < 0 || cases < whole) whole = cases;
    }
    return whole;
}

static long whole(void) {
    long by_messages = read_whole(), by_writes = atomic_load(&written);
    return by_messages < by_writes ? by_messages : by_writes;
}

/* Published messages that are not confirmed yet, by their number from 1: at most UNCONFIRMED of them. */
struct unconfirmed {
    char open[2 * UNCONFIRMED];
    uint64_t first, sent;
    int count;
};

static void confirm(struct unconfirmed *them, uint64_t number) {
    char *open = &them->open[number % sizeof them->open];
    them->count -= *open;
    *open = 0;
    while (them->first <= them->sent && !them->open[them->first % sizeof them->open]) them->first++;
}

static int has_room(const struct unconfirmed *them) {
    return them->count < UNCONFIRMED && them->sent + 1 < them->first + sizeof them->open;
}

static void take_confirms(amqp_connection_state_t state, struct unconfirmed *them, int wait_us) {
    struct timeval at_once = {0, 0}, some = {0, wait_us};
    amqp_frame_t frame;
    int status;
    while ((status = amqp_simple_wait_frame_noblock(state, &frame, wait_us ? &some : &at_once)) == AMQP_STATUS_OK) {
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            fail("a message was not taken");
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        for (uint64_t number = ack->multiple ? them->first : ack->delivery_tag; number <= ack->delivery_tag; number++)
            confirm(them, number);
        wait_us = 0;
        amqp_maybe_release_buffers(state);
    }
    if (status != AMQP_STATUS_TIMEOUT) fail("the publisher's connection is gone");
}

static void *publish(void *argument) {
    struct stream *one = argument;
    amqp_connection_state_t state = connected();
    amqp_confirm_select(state, CHANNEL);
    want(amqp_get_rpc_reply(state), "no confirms");
    char *body = malloc(one->bytes + 1), id[48], name[NAME];
    for (size_t at = 0; at < one->bytes; at++) body[at] = (char)('a' + rand() % 26);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = 2,
        .type = amqp_cstring_bytes("casework.something.v1"),
        .timestamp = (uint64_t)time(NULL),
    };
    struct unconfirmed them = {.first = 1};
    while (atomic_load(&running)) {
        long ahead = whole() + window;
        int before = 0;
        while (has_room(&them) && (double)them.sent / one->per_case < (double)ahead && before++ < 100) {
            uint64_t number = ++them.sent;
            snprintf(id, sizeof id, "%08x-%04x-%04x-%04x-%012" PRIx64, rand(), 1, 2, 3, number);
            properties.message_id = amqp_cstring_bytes(id);
            amqp_bytes_t to = queue_of(one, (int)(number % (uint64_t)one->queues), name, sizeof name);
            amqp_bytes_t bytes = {.len = one->bytes, .bytes = body};
            if (amqp_basic_publish(state, CHANNEL, amqp_empty_bytes, to, 1, 0, &properties, bytes))
                fail("cannot publish");
            them.open[number % sizeof them.open] = 1;
            them.count++;
        }
        take_confirms(state, &them, before ? 0 : 500);
    }
    closed(state);
    free(body);
    return NULL;
}

static void *consume(void *argument) {
    struct stream *one = argument;
    amqp_connection_state_t state = connected();
    char name[NAME];
    amqp_basic_qos(state, CHANNEL, 0, PREFETCH / (one->queues > 5 ? 5 : one->queues), 0);
    for (int q = 0; q < one->queues; q++) {
        amqp_bytes_t queue = queue_of(one, q, name, sizeof name);
        amqp_basic_consume(state, CHANNEL, queue, amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
        want(amqp_get_rpc_reply(state), "a queue cannot be read");
    }
    uint64_t last = 0, acknowledged = 0;
    while (atomic_load(&running)) {
        struct timeval patience = {0, last > acknowledged ? 2000 : 50000};
        amqp_envelope_t envelope;
        amqp_rpc_reply_t reply = amqp_consume_message(state, &envelope, &patience, 0);
        if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
            if (envelope.message.body.len != one->bytes) fail("not what was sent");
            last = envelope.delivery_tag;
            amqp_destroy_envelope(&envelope);
            amqp_maybe_release_buffers(state);
            atomic_fetch_add(&one->read, 1);
        } else if (reply.library_error != AMQP_STATUS_TIMEOUT)
            fail("the reader's connection is gone");
        if (last - acknowledged >= ACK_EVERY || (last > acknowledged && reply.reply_type != AMQP_RESPONSE_NORMAL)) {
            if (amqp_basic_ack(state, CHANNEL, last, 1)) fail("cannot acknowledge");
            acknowledged = last;
        }
    }
    closed(state);
    return NULL;
}

/* Tell how far the messages are, and hear how far the writes are, until nobody speaks to us any more. */
static void talk(void) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];
    setvbuf(stdin, NULL, _IONBF, 0); /* else poll would not see what is in the buffer already */
    for (;;) {
        printf("%ld\n", read_whole());
        fflush(stdout);
        if (poll(&in, 1, TELL_EVERY_MS) > 0) {
            if (!fgets(line, sizeof line, stdin)) return;
            atomic_store(&written, atol(line));
        }
    }
}

int main(int count, char **words) {
    if (count < 3 || count - 2 > MOST_STREAMS || !getenv("LIMIT_AMQP_URL")) fail("see the head of flow.c");
    window = atol(words[1]);
    for (stream_count = 0; stream_count < count - 2; stream_count++) {
        struct stream *one = &streams[stream_count];
        if (sscanf(words[stream_count + 2], "%31[^:]:%d:%lf:%zu", one->name, &one->queues, &one->per_case, &one->bytes) != 4)
            fail("a stream is NAME:QUEUES:MESSAGES-PER-CASE:BYTES");
    }
    amqp_connection_state_t state = connected();
    declare_all(state);
    pthread_t threads[2 * MOST_STREAMS];
    for (int s = 0; s < stream_count; s++) {
        pthread_create(&threads[2 * s], NULL, consume, &streams[s]);
        pthread_create(&threads[2 * s + 1], NULL, publish, &streams[s]);
    }
    talk();
    atomic_store(&running, 0);
    for (int t = 0; t < 2 * stream_count; t++) pthread_join(threads[t], NULL);
    delete_all(state);
    closed(state);
    return 0;
}
