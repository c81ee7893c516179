/* A hook command that answers from a file: the cheapest that there can be, the same for all sides.
 *
 * STUB_ANSWERS/NAME is what NAME answers; with the unit's own name among the arguments, NAME.own. Standard
 * input is read where `-` stands for it. STUB_COUNT gets a line for each command. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    const char *own = getenv("JUJU_UNIT_NAME"), *folder = getenv("STUB_ANSWERS"), *count = getenv("STUB_COUNT");
    static char path[4096], buffer[1 << 16];
    int is_own = 0, is_read = 0;
    for (int i = 1; i < argc; i++) {
        is_own |= own && strcmp(argv[i], own) == 0;
        is_read |= strcmp(argv[i], "-") == 0 && i > 1 && strcmp(argv[i - 1], "--file") == 0;
    }
    ssize_t bytes;
    while (is_read && read(0, buffer, sizeof buffer) > 0) {
    }
    snprintf(path, sizeof path, "%s/%s%s", folder, name, is_own ? ".own" : "");
    int answer = open(path, O_RDONLY);
    while (answer >= 0 && (bytes = read(answer, buffer, sizeof buffer)) > 0) {
        for (ssize_t written = 0; written < bytes;) {
            ssize_t more = write(1, buffer + written, bytes - written);
            if (more < 0) return 1;
            written += more;
        }
    }
    if (count) {
        int log = open(count, O_WRONLY | O_APPEND | O_CREAT, 0644);
        int length = snprintf(path, sizeof path, "%s\n", name);
        if (write(log, path, length) != length) return 1;
    }
    return 0;
}
