#include "eval/engine/worker_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "space/base/clock.h"
#include "space/base/error.h"

extern char** environ;

namespace hone {
namespace {

constexpr std::uint64_t kLargestHeader = std::uint64_t{1} << 26;
constexpr std::uint64_t kLargestBody = std::uint64_t{1} << 34;
constexpr off_t kLastWords = 2000;
// A worker that has closed its socket is about to end.
constexpr int kPatience = 200;
constexpr useconds_t kPatienceStep = 10'000;

std::string Reason(int error) { return std::generic_category().message(error); }

void PutU64(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

std::uint64_t GetU64(const char* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

// What posix_spawn is told, released at the end of its life.
struct SpawnPlan {
  SpawnPlan(int socket, int printed) {
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, printed, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, printed, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& command,
                             double time_limit_seconds)
    : time_limit_seconds_(time_limit_seconds) {
  HONE_CHECK(!command.empty());
  try {
    Start(command);
  } catch (...) {
    Kill();
    throw;
  }
}

WorkerProcess::~WorkerProcess() { Kill(); }

void WorkerProcess::Start(const std::vector<std::string>& command) {
  std::array<int, 2> ends = {-1, -1};
  printed_ = memfd_create("worker", MFD_CLOEXEC);
  if (printed_ < 0 ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw Error(ErrorCode::kResource,
                "cannot talk to a worker process: " + Reason(errno));
  }
  socket_ = ends[0];
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  int failed = 0;
  {
    const SpawnPlan plan(ends[1], printed_);
    failed = posix_spawnp(&process_, arguments[0], &plan.files,
                          &plan.attributes, arguments.data(), environ);
  }
  close(ends[1]);
  if (failed != 0) {
    process_ = -1;
    throw Error(ErrorCode::kNotFound,
                "cannot start '" + command[0] + "': " + Reason(failed));
  }
}

WorkerMessage WorkerProcess::Receive() {
  const Deadline deadline = SteadyMs() + 1000 * time_limit_seconds_;
  std::array<char, 16> sizes;
  ReceiveBytes(sizes.data(), sizes.size(), deadline);
  const std::uint64_t header = GetU64(sizes.data());
  const std::uint64_t body = GetU64(sizes.data() + 8);
  if (header > kLargestHeader || body > kLargestBody) {
    Fail("answered with something else than a message");
  }
  std::string text(header, '\0');
  ReceiveBytes(text.data(), text.size(), deadline);
  WorkerMessage message{{}, std::string(body, '\0')};
  ReceiveBytes(message.body.data(), message.body.size(), deadline);
  try {
    message.header = ParseJson(text, "the worker's answer");
  } catch (const Error& error) {
    Fail(std::string("answered with something else than a message: ") +
         error.what());
  }
  return message;
}

void WorkerProcess::Send(const WorkerMessage& message) {
  const Deadline deadline = SteadyMs() + 1000 * time_limit_seconds_;
  const std::string text = message.header.dump();
  std::string start;
  PutU64(start, text.size());
  PutU64(start, message.body.size());
  start += text;
  SendBytes(start.data(), start.size(), deadline);
  SendBytes(message.body.data(), message.body.size(), deadline);
}

void WorkerProcess::Wait(short events, Deadline deadline) {
  if (socket_ < 0) {
    throw Error(ErrorCode::kResource, "the worker process has ended before");
  }
  for (;;) {
    pollfd ready{socket_, events, 0};
    const double left = std::clamp(deadline - SteadyMs(), 0.0, 1e9);
    const int count = poll(&ready, 1, static_cast<int>(left) + 1);
    if (count > 0) return;
    if (count == 0 && SteadyMs() >= deadline) {
      Fail("gave no answer for " +
           std::to_string(static_cast<int>(time_limit_seconds_)) +
           " s and was ended");
    }
    if (count < 0 && errno != EINTR)
      Fail("cannot be reached: " + Reason(errno));
  }
}

void WorkerProcess::ReceiveBytes(char* bytes, std::size_t size,
                                 Deadline deadline) {
  while (size > 0) {
    Wait(POLLIN, deadline);
    const ssize_t count = recv(socket_, bytes, size, MSG_DONTWAIT);
    if (count == 0) Fail(End());
    if (count < 0 && errno != EAGAIN && errno != EINTR) Fail(End());
    if (count < 0) continue;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
}

void WorkerProcess::SendBytes(const char* bytes, std::size_t size,
                              Deadline deadline) {
  while (size > 0) {
    Wait(POLLOUT, deadline);
    const ssize_t count =
        send(socket_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) Fail(End());
    if (count < 0) continue;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
}

// Leaves the dead to be reaped by Kill: until then its group keeps its number.
std::string WorkerProcess::End() {
  siginfo_t how = {};
  for (int i = 0; i < kPatience && how.si_pid == 0; ++i) {
    waitid(P_PID, static_cast<id_t>(process_), &how,
           WEXITED | WNOHANG | WNOWAIT);
    if (how.si_pid == 0) usleep(kPatienceStep);
  }
  if (how.si_pid == 0) return "closed its socket";
  return (how.si_code == CLD_EXITED ? "ended with status "
                                    : "was killed by signal ") +
         std::to_string(how.si_status);
}

void WorkerProcess::Fail(const std::string& what) {
  std::string message = "the worker process " + what;
  const std::string words = LastWords();
  if (!words.empty()) message += "; it said: " + words;
  Kill();
  throw Error(ErrorCode::kResource, message);
}

std::string WorkerProcess::LastWords() const {
  const off_t size = printed_ < 0 ? 0 : lseek(printed_, 0, SEEK_CUR);
  const off_t begin = std::max<off_t>(size - kLastWords, 0);
  if (size <= begin) return "";
  std::string words(static_cast<std::size_t>(size - begin), '\0');
  const ssize_t count = pread(printed_, words.data(), words.size(), begin);
  words.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

void WorkerProcess::Kill() {
  if (process_ > 0) {
    kill(-process_, SIGKILL);
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  for (int* descriptor : {&socket_, &printed_}) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
  }
}

}  // namespace hone
