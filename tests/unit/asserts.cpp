// SPDX-License-Identifier: Apache-2.0
// A result asked for what it doesn't hold stops the program, where asserts are compiled in.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

#include "gradtail/result.hpp"

#ifdef NDEBUG
#error "compile this file with -UNDEBUG"
#endif

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Result;

// Where coverage is measured, this saves what a program has counted, which a signal would lose.
extern "C" [[gnu::weak]] void __gcov_dump();  // NOLINT: the name is gcc's

namespace {

/// The last that a child does.
void save_coverage(int = 0) {
  if (&__gcov_dump != nullptr) __gcov_dump();
}

/// The signal that ends a child which does `misuse`, silently; 0 where it comes through.
template <class Misuse>
int signal_of(Misuse misuse) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    std::signal(SIGABRT, save_coverage);  // doctest has a handler of its own
    misuse();
    save_coverage();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

constexpr Error error{Code::corrupt, Check::checksum};

}  // namespace

TEST_CASE("the error of a temporary value can't be asked for") {
  CHECK(signal_of([] { (void)Result<std::string>("text").error(); }) == SIGABRT);
}

TEST_CASE("the value of an error can't be asked for") {
  Result<std::string> bad = error;
  const Result<std::string>& constant = bad;
  CHECK(signal_of([&] { (void)bad.value(); }) == SIGABRT);
  CHECK(signal_of([&] { (void)constant.value(); }) == SIGABRT);
  CHECK(signal_of([&] { (void)std::move(bad).value(); }) == SIGABRT);
  using Temporary = const Result<std::string>&&;
  CHECK(signal_of([&] { (void)static_cast<Temporary>(bad).value(); }) == SIGABRT);
  CHECK(signal_of([&] { (void)*bad; }) == SIGABRT);
  CHECK(signal_of([&] { (void)*constant; }) == SIGABRT);
  CHECK(signal_of([&] { (void)*std::move(bad); }) == SIGABRT);
  CHECK(signal_of([&] { (void)bad->size(); }) == SIGABRT);
  CHECK(signal_of([&] { (void)constant->size(); }) == SIGABRT);
}

TEST_CASE("the error of a value can't be asked for") {
  Result<std::string> good = std::string("good");
  const Result<std::string>& constant = good;
  CHECK(signal_of([&] { (void)good.error(); }) == SIGABRT);
  CHECK(signal_of([&] { (void)constant.error(); }) == SIGABRT);
}

TEST_CASE("what a result holds can be asked for in every way") {
  Result<std::string> good = std::string("good");
  const Result<std::string> bad = error;
  CHECK(signal_of([&] {
          (void)good.value().size();
          (void)(*good).size();
          (void)good->size();
          (void)good.value_or("");
          (void)bad.value_or("");
          (void)bad.error();
        }) == 0);
}
