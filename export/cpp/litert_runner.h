// Runs the steps of a stream with LiteRT's compiled model.

#ifndef GRW_LITERT_RUNNER_H_
#define GRW_LITERT_RUNNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exported_file.h"

namespace grw {

// Keeps a stream's states in two sets of buffers: a step reads one set and writes the
// other, and then they change places, so nothing is copied.
class LiteRtRunner {
 public:
  // Throws std::runtime_error, in one line, if the model is damaged, differs from its
  // manifest or cannot be run.
  LiteRtRunner(ExportedFile file, int num_threads);
  ~LiteRtRunner();

  // Takes the frame of an index in a step, bytes [size, size, 3].
  void TakeFrame(const uint8_t* square, int index);
  // Runs a step of the frames taken. Returns the logits, or nothing if `Classify` gives
  // them on demand.
  std::optional<std::vector<float>> Step();
  std::vector<float> Classify();
  // Gives all states their initial values.
  void Reset();
  // Sets all numbers of a state before the next step.
  void SetState(const std::string& name, double value);

 private:
  struct Model;  // What LiteRT has made of the file.

  ExportedFile file_;
  std::vector<uint8_t> image_;
  std::unique_ptr<Model> model_;
};

}  // namespace grw

#endif  // GRW_LITERT_RUNNER_H_
