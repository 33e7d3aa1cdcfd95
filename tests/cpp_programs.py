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

CALIBRATED_MAIN = r"""
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>
#include "stream_session.h"

using Options = grw::StreamSession::Options;

// Prints the error of a use of a session, or how red the last of 12 red frames and 8
// green ones looks.
template <typename Use>
void Try(const std::string& path, const Options& options, Use use) {
  try {
    grw::StreamSession session(path, options);
    for (int i = 0; i < 20; ++i) {
      std::vector<unsigned char> frame(8 * 8 * 3);
      for (int j = i < 12 ? 0 : 1; j < 192; j += 3) frame[j] = 255;
      session.PushPrepared(frame.data());
    }
    use(session);
    std::printf("%.6f\n", session.Logits()[0]);
  } catch (const std::runtime_error& error) {
    std::puts(error.what());
  }
}

int main(int, char** argv) {
  const std::string colors = argv[1], labels = argv[2], counter = argv[3];
  const auto nothing = [](grw::StreamSession&) {};
  Options all_frames, wrong_memory, finds, rules, wrong_rules;
  all_frames.memory_frames = 0;
  wrong_memory.memory_frames = -1;
  finds.find_events = true;
  rules.rules = grw::EventRules{0.99, 0.8};
  wrong_rules.rules = grw::EventRules{0.7, 0.8};
  Try(colors, {}, nothing);
  Try(colors, all_frames, nothing);
  Try(colors, wrong_memory, nothing);
  Try(colors, wrong_rules, nothing);
  Try(labels, rules, nothing);
  Try(counter, finds, nothing);
  Try(colors, {}, [](grw::StreamSession& session) { session.Events(); });
  Try(labels, {}, [](grw::StreamSession& session) { session.Answer(); });
  Try(colors, rules, [](grw::StreamSession& session) {
    // By the own threshold, or without the temperature, it would be an answer.
    if (session.Answer().first) throw std::runtime_error("answered");
  });
}
"""
"""Opens calibrated files and others with several options."""
