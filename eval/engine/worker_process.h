#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "space/base/json.h"

namespace hone {

// What goes to a worker and comes back. On the wire: two little-endian u64, the
// bytes of the header's text and of the body, then both.
struct WorkerMessage {
  Json header;
  std::string body;
};

// A program that answers messages on its standard input, which is a socket.
// What it prints is kept for error messages. It leads a process group of its
// own, so that an interrupt from the keyboard does not reach it; it is expected
// to end when the socket does, as it does when this process dies. Not
// thread-safe.
class WorkerProcess {
 public:
  // `command`: the program, looked up as a shell does, and its arguments.
  // `time_limit_seconds`: for each message. Throws Error{kNotFound} when the
  // program cannot be started.
  WorkerProcess(const std::vector<std::string>& command,
                double time_limit_seconds);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  // Kills the worker and what it started.
  ~WorkerProcess();

  // Waits for the next message. Both throw Error{kResource} when the worker
  // dies, does not answer in time or speaks another language, with the last
  // that it printed; it is killed then, and no further message is possible.
  WorkerMessage Receive();
  void Send(const WorkerMessage& message);

 private:
  using Deadline = double;  // milliseconds of the steady clock

  void Start(const std::vector<std::string>& command);
  void Wait(short events, Deadline deadline);
  void ReceiveBytes(char* bytes, std::size_t size, Deadline deadline);
  void SendBytes(const char* bytes, std::size_t size, Deadline deadline);
  [[noreturn]] void Fail(const std::string& what);
  // How the worker ended, in words.
  std::string End();
  std::string LastWords() const;
  void Kill();

  double time_limit_seconds_;
  pid_t process_ = -1;
  int socket_ = -1;
  int printed_ = -1;  // a file in memory
};

}  // namespace hone
