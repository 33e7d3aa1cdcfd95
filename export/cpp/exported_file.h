// Reads an exported file: its model, and the labels and manifest in the zip archive after
// the model.

#ifndef GRW_EXPORTED_FILE_H_
#define GRW_EXPORTED_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "events.h"

namespace grw {

struct ExportedFile {
  struct State {
    std::string name;
    std::vector<int64_t> shape;
    std::string dtype;
    double initial_value;
  };

  std::string path;
  // The bytes of the model alone.
  std::string model;
  std::vector<std::string> labels;

  // From the manifest; docs/export.md describes it.
  std::vector<std::string> signatures;
  std::vector<State> states;
  std::vector<int64_t> image_shape;
  std::string image_dtype;
  int size = 0, resize = 0, frames_per_step = 0;
  double fps = 0;
  bool short_side = false;
  // Whether the file says how frames are prepared, as all do since format 2.
  bool records_fit = true;
  // The scores from which the sigmoids of a model with several labels name their classes;
  // empty for a model with a softmax.
  std::vector<float> thresholds;
  // What grw-calibrate put into the file.
  struct Calibration {
    // What logits are divided by before the softmax that gives scores.
    double temperature = 1;
    // When answers count and events begin and end; nothing if it is not calibrated.
    std::optional<EventRules> rules;
    // Frames beyond which the model forgets; 0 for never.
    int64_t memory_frames = 0;
  };
  Calibration calibration;
  // False if the export failed its check, and was written all the same.
  bool passed_parity = true;
};

// Reads a file and checks it as grw_tf/streaming/exported_file.py does, with the model's
// checksum. Throws std::runtime_error, in one line, if there is no such file, it is not
// an export of grw_tf, is damaged, or has a newer format.
ExportedFile ReadExportedFile(const std::string& path);

}  // namespace grw

#endif  // GRW_EXPORTED_FILE_H_
