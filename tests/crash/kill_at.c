// Preloaded into the service by the tests: kills it, or fails its call, before, in the middle of or after the
// n-th call of one kind that has an effect outside of the process. Nothing outside can see what the process
// is in but through such calls: what it does between two of them is lost with its memory. So a kill at each
// side of each of them leaves behind every state that a kill at any instant can. What SIGKILL does not do is
// lose what the system was told to write and not to sync; that is for a simulated disk.
//
// The plan is in a file that is mapped by both sides ($KILL_AT_PLAN; its layout is in plan.py too), so that a
// test can change it while the service runs, and reads from it afterwards what was called how often. Any
// thread.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum point {
    WAL_WRITE,
    WAL_SYNC,
    DATABASE_WRITE,
    DATABASE_SYNC,
    JOURNAL, // of a new database, before it is turned to a write-ahead log
    KEY_FILE,
    DIRECTORY_SYNC,
    STRIPE_SEND,
    STRIPE_RECEIVE,
    CLIENT_SEND,
    CLIENT_RECEIVE,
    ENDPOINT_SEND,
    ENDPOINT_RECEIVE,
    POSTGRESQL_SEND,
    POSTGRESQL_RECEIVE,
    POINTS,
    NO_POINT = POINTS,
};

enum when { BEFORE, HALFWAY, AFTER };

#define KILL (-1)

struct plan {
    int64_t points;     // bits: 1 << enum point
    int64_t when;       // of a kill
    int64_t calls_left; // the call that makes it 0 is the one
    int64_t action;     // 0: none; KILL; else an errno, with which that call and all that follow fail
    int64_t stripe_port;
    int64_t stripe_tls; // not 0: TLS is spoken there, and nowhere else
    int64_t endpoint_port;
    int64_t acted; // how often
    int64_t seen[POINTS];
};

static struct plan *plan;

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv("KILL_AT_PLAN");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) {
        abort();
    }
    plan = at;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_chars = strlen(text);
    size_t end_chars = strlen(end);
    return text_chars >= end_chars && strcmp(text + text_chars - end_chars, end) == 0;
}

static enum point point_of_path(const char *path, bool sync)
{
    if (ends_with(path, ".db-wal")) {
        return sync ? WAL_SYNC : WAL_WRITE;
    }
    if (ends_with(path, ".db")) {
        return sync ? DATABASE_SYNC : DATABASE_WRITE;
    }
    if (ends_with(path, ".db-journal")) {
        return JOURNAL;
    }
    if (strstr(path, ".key") != NULL) {
        return KEY_FILE;
    }
    return sync ? DIRECTORY_SYNC : NO_POINT;
}

static enum point point_of_file(int fd, bool sync)
{
    char link_name[32];
    char path[4096];
    (void)snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
    ssize_t chars = readlink(link_name, path, sizeof path - 1);
    if (chars <= 0 || path[0] != '/') {
        return NO_POINT; // a pipe or a socket
    }
    path[chars] = '\0';
    return point_of_path(path, sync);
}

static enum point point_of_peer(int fd, bool receive)
{
    struct sockaddr_storage any = {0};
    socklen_t bytes = sizeof any;
    if (plan == NULL || getpeername(fd, (struct sockaddr *)&any, &bytes) != 0) {
        return NO_POINT;
    }
    if (any.ss_family == AF_UNIX) { // the tests' server listens nowhere else
        return receive ? POSTGRESQL_RECEIVE : POSTGRESQL_SEND;
    }
    if (any.ss_family != AF_INET) {
        return NO_POINT;
    }
    struct sockaddr_in peer;
    memcpy(&peer, &any, sizeof peer);
    uint16_t port = ntohs(peer.sin_port);
    if (port == plan->stripe_port && plan->stripe_tls != 0) {
        return NO_POINT; // counted where the text is known: Stripe learns nothing from a handshake
    }
    enum point send = port == plan->stripe_port     ? STRIPE_SEND
                      : port == plan->endpoint_port ? ENDPOINT_SEND
                                                    : CLIENT_SEND;
    return receive ? send + 1 : send;
}

static _Noreturn void die(void)
{
    plan->acted++;
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

// One call, from begin to end.
struct call {
    bool fails; // errno is set
    bool half;
    bool dies_after;
};

static struct call begin(enum point point)
{
    struct call call = {0};
    if (plan == NULL || point == NO_POINT) {
        return call;
    }
    __atomic_add_fetch(&plan->seen[point], 1, __ATOMIC_SEQ_CST);
    if (plan->action == 0 || (plan->points >> point & 1) == 0) {
        return call;
    }
    int64_t left = __atomic_sub_fetch(&plan->calls_left, 1, __ATOMIC_SEQ_CST);
    if (plan->action != KILL) {
        call.fails = left <= 0;
        plan->acted += call.fails;
        errno = call.fails ? (int)plan->action : errno;
        return call;
    }
    if (left == 0 && plan->when == BEFORE) {
        die();
    }
    call.half = left == 0 && plan->when == HALFWAY;
    call.dies_after = left == 0;
    return call;
}

static ssize_t end(struct call call, ssize_t result)
{
    if (call.dies_after) {
        die();
    }
    return result;
}

static size_t part(struct call call, size_t bytes)
{
    return call.half ? bytes / 2 : bytes;
}

// The system's own function, which ours hides.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(point, name, ...)                                                                               \
    struct call call = begin(point);                                                                         \
    return call.fails ? -1 : end(call, REAL(name)(__VA_ARGS__))

// Files. The system's headers name the parameters otherwise.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
    CALL(point_of_file(fd, false), pwrite64, fd, data, part(call, bytes), at);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    enum point point = point_of_file(fd, false);
    CALL(point != NO_POINT ? point : point_of_peer(fd, false), write, fd, data, part(call, bytes));
}

int ftruncate64(int fd, off64_t bytes)
{
    struct call call = begin(point_of_file(fd, false));
    return call.fails ? -1 : (int)end(call, REAL(ftruncate64)(fd, bytes));
}

int fdatasync(int fd)
{
    struct call call = begin(point_of_file(fd, true));
    return call.fails ? -1 : (int)end(call, REAL(fdatasync)(fd));
}

int fsync(int fd)
{
    struct call call = begin(point_of_file(fd, true));
    return call.fails ? -1 : (int)end(call, REAL(fsync)(fd));
}

int unlink(const char *path)
{
    struct call call = begin(point_of_path(path, false));
    return call.fails ? -1 : (int)end(call, REAL(unlink)(path));
}

int link(const char *from, const char *to)
{
    struct call call = begin(point_of_path(to, false));
    return call.fails ? -1 : (int)end(call, REAL(link)(from, to));
}

// Sockets

ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    CALL(point_of_peer(fd, false), send, fd, data, part(call, bytes), flags);
}

ssize_t sendto(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to,
               socklen_t to_bytes)
{
    CALL(point_of_peer(fd, false), sendto, fd, data, part(call, bytes), flags, to, to_bytes);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct call call = begin(point_of_peer(fd, false));
    struct iovec first = message->msg_iovlen > 0 ? message->msg_iov[0] : (struct iovec){0};
    struct msghdr half = *message;
    first.iov_len /= 2;
    half.msg_iov = &first;
    half.msg_iovlen = 1;
    return call.fails ? -1 : end(call, REAL(sendmsg)(fd, call.half ? &half : message, flags));
}

// Of a receipt only the call that brings something counts, and killed is after it: from outside, whether the
// bytes were read before the end or not is the same.
static ssize_t received(int fd, ssize_t bytes)
{
    if (bytes <= 0) {
        return bytes;
    }
    struct call call = begin(point_of_peer(fd, true));
    return call.fails ? -1 : end(call, bytes);
}

ssize_t recv(int fd, void *data, size_t bytes, int flags)
{
    return received(fd, REAL(recv)(fd, data, bytes, flags));
}

ssize_t recvfrom(int fd, void *restrict data, size_t bytes, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_bytes)
{
    return received(fd, REAL(recvfrom)(fd, data, bytes, flags, from, from_bytes));
}

// TLS. A call is killed halfway after half of its text, which is a whole record to the other side. None
// fails.

int SSL_write_ex(SSL *tls, const void *data, size_t bytes, size_t *written)
{
    struct call call = begin(STRIPE_SEND);
    return (int)end(call, REAL(SSL_write_ex)(tls, data, part(call, bytes), written));
}

int SSL_read_ex(SSL *tls, void *data, size_t bytes, size_t *count)
{
    int result = REAL(SSL_read_ex)(tls, data, bytes, count);
    return result == 1 ? (int)end(begin(STRIPE_RECEIVE), result) : result;
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
