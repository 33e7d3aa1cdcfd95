"""C++ programs that tests build."""

STREAM_MAIN = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>
#include "stream_session.h"

int main(int argc, char** argv) {
  if (!std::strcmp(argv[1], "open")) {
    for (int i = 2; i < argc; ++i) {
      try {
        grw::StreamSession session(argv[i]);
        std::puts("opens");
      } catch (const std::exception& error) {
        std::puts(error.what());
      }
    }
    return 0;
  }
  grw::StreamSession::Options options;
  options.num_threads = std::atoi(argv[1]);
  options.warn = [](const std::string&) {};
  grw::StreamSession session(argv[2], options);
  std::vector<unsigned char> frame(session.size() * session.size() * 3);
  int index = 3;
  const auto print = [&session] {
    std::printf("%lld", static_cast<long long>(session.steps()));
    if (session.steps()) {
      for (const float logit : session.Logits()) std::printf(" %.9g", logit);
    }
    std::puts("");
  };
  while (std::fread(frame.data(), 1, frame.size(), stdin) == frame.size()) {
    std::optional<double> time;
    if (index < argc) time = std::atof(argv[index++]);
    try {
      session.PushPrepared(frame.data(), time);
    } catch (const std::exception& error) {
      std::puts(error.what());
      return 0;
    }
    print();
  }
  session.Flush();
  if (index > 3) print();
}
"""
"""Opens files, or runs frames from the standard input through a prepared stream."""
