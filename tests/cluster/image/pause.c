/* Holds a Pod's namespaces: sleeps until it is told to end. As process 1 it would ignore signals that it does not handle. */
#include <signal.h>
#include <unistd.h>

static void end(int signal) { _exit(0); }

int main(void) {
  signal(SIGTERM, end);
  signal(SIGINT, end);
  for (;;) pause();
}
