/* lwIP behind a plain TUN device: echo on port 7, discard on 9, a stream without end on 19 and HTTP on 80, over the raw
 * interface, on one thread.
 *
 *     lwip-peer TUN ADDRESS
 *
 * The interface has to exist, with its address, and be up. The library is Debian's, as it is built: an MSS of 1460, a
 * window and a send buffer of 64 KiB, and no congestion control but its own.
 *
 *     cc -O2 -o lwip-peer main.c $(pkg-config --cflags --libs lwip)
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel's own, as <net/if.h> is lwIP's here. */
#include <linux/if.h>

#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>

enum { PACKET = 65535, MTU = 1500, BACKLOG = 255, PACKETS = 64 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: benchmark\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n";
static const char END[] = "\r\n\r\n";
static char zeros[65536];
static char packet[PACKET];

/* What a connection has to send, and what has been seen of it. */
struct connection {
    u16_t port;
    /* Answers that had no room yet, and how much of a head's end has been seen. */
    unsigned owed, matched;
    int closing;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* --- the device --- */

static int open_tun(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (fd < 0) fail("/dev/net/tun");
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0) fail(name);
    return fd;
}

static err_t device_output(struct netif *netif, struct pbuf *bytes, const ip4_addr_t *to) {
    const void *flat = bytes->payload;
    (void)to;
    if (bytes->len != bytes->tot_len) flat = pbuf_get_contiguous(bytes, packet, sizeof packet, bytes->tot_len, 0);
    /* What the kernel has no room for is lost, as on a wire. */
    if (flat && write((int)(long)netif->state, flat, bytes->tot_len) < 0) return ERR_IF;
    return ERR_OK;
}

static err_t device_init(struct netif *netif) {
    netif->name[0] = 't';
    netif->name[1] = 'n';
    netif->mtu = MTU;
    netif->output = device_output;
    netif->flags = NETIF_FLAG_UP | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* Hands over what has come; whether there may be more. */
static int device_read(struct netif *netif) {
    for (int count = 0; count < PACKETS; count++) {
        ssize_t length = read((int)(long)netif->state, packet, sizeof packet);
        if (length <= 0) return 0;
        struct pbuf *bytes = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
        if (!bytes) continue;
        pbuf_take(bytes, packet, (u16_t)length);
        if (netif->input(bytes, netif) != ERR_OK) pbuf_free(bytes);
    }
    return 1;
}

/* --- the services --- */

/* Sends what there is room for. */
static void send_more(struct connection *connection, struct tcp_pcb *pcb) {
    if (connection->port == 19) {
        u16_t room;
        while ((room = tcp_sndbuf(pcb)) > 0 && tcp_sndqueuelen(pcb) + 2 < TCP_SND_QUEUELEN)
            if (tcp_write(pcb, zeros, room, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
    }
    while (connection->owed > 0 && tcp_write(pcb, ANSWER, sizeof ANSWER - 1, TCP_WRITE_FLAG_COPY) == ERR_OK)
        connection->owed--;
    tcp_output(pcb);
}

static void drop(struct connection *connection, struct tcp_pcb *pcb) {
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    free(connection);
    tcp_close(pcb);
}

static void take(struct connection *connection, struct tcp_pcb *pcb, const char *bytes, u16_t length) {
    if (connection->port == 7) tcp_write(pcb, bytes, length, TCP_WRITE_FLAG_COPY);
    if (connection->port != 80) return;
    for (u16_t index = 0; index < length; index++) {
        char byte = bytes[index];
        connection->matched = byte == END[connection->matched] ? connection->matched + 1 : byte == '\r';
        if (connection->matched == 4) {
            connection->matched = 0;
            connection->owed++;
        }
        if (byte == ':' && length - index >= 7 && memcmp(bytes + index, ": close", 7) == 0) connection->closing = 1;
    }
}

static err_t received(void *state, struct tcp_pcb *pcb, struct pbuf *bytes, err_t error) {
    struct connection *connection = state;
    (void)error;
    if (!bytes) {
        drop(connection, pcb);
        return ERR_OK;
    }
    for (struct pbuf *piece = bytes; piece; piece = piece->next)
        take(connection, pcb, piece->payload, piece->len);
    tcp_recved(pcb, bytes->tot_len);
    pbuf_free(bytes);
    send_more(connection, pcb);
    if (connection->closing && connection->owed == 0) drop(connection, pcb);
    return ERR_OK;
}

static err_t sent(void *state, struct tcp_pcb *pcb, u16_t length) {
    (void)length;
    send_more(state, pcb);
    return ERR_OK;
}

static void failed(void *state, err_t error) {
    (void)error;
    free(state);
}

static err_t accepted(void *port, struct tcp_pcb *pcb, err_t error) {
    struct connection *connection = error == ERR_OK && pcb ? calloc(1, sizeof *connection) : NULL;
    if (!connection) return ERR_MEM;
    connection->port = (u16_t)(long)port;
    tcp_nagle_disable(pcb);
    tcp_arg(pcb, connection);
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_err(pcb, failed);
    send_more(connection, pcb);
    return ERR_OK;
}

static void serve(long port) {
    struct tcp_pcb *pcb = tcp_new();
    if (!pcb || tcp_bind(pcb, IP_ADDR_ANY, (u16_t)port) != ERR_OK) fail("tcp_bind");
    pcb = tcp_listen_with_backlog(pcb, BACKLOG);
    tcp_arg(pcb, (void *)port);
    tcp_accept(pcb, accepted);
}

int main(int count, char **arguments) {
    struct netif netif;
    ip4_addr_t address, mask, gateway;
    if (count != 3 || !ip4addr_aton(arguments[2], &address)) {
        fputs("usage: lwip-peer TUN ADDRESS\n", stderr);
        return 2;
    }
    long fd = open_tun(arguments[1]);
    lwip_init();
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&gateway);
    netif_add(&netif, &address, &mask, &gateway, (void *)fd, device_init, ip_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
    serve(7);
    serve(9);
    serve(19);
    serve(80);
    printf("ready %s %s\n", arguments[1], arguments[2]);
    fflush(stdout);
    for (;;) {
        int more = device_read(&netif);
        sys_check_timeouts();
        u32_t wait = sys_timeouts_sleeptime();
        struct pollfd readable = {.fd = (int)fd, .events = POLLIN};
        if (!more) poll(&readable, 1, wait > 1000 ? 1000 : (int)wait);
    }
}
