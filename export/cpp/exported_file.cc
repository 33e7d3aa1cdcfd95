#include "exported_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <stdexcept>
#include <utility>

#include "json.h"

namespace grw {
namespace {

// The same keys may mean something else in a newer format.
constexpr int64_t kNewestFormat = 3;
// Since then a file may have sigmoids, which older readers would take for a softmax.
constexpr int64_t kSigmoidFormat = 3;
// In pixels. Larger values are wrong, and would fill the memory.
constexpr int64_t kMostResize = 10000;
// A zip archive ends with a record of this many bytes and a comment.
constexpr size_t kEndSize = 22, kMostComment = 65535;

const char kForeign[] =
    ": it is not an export of grw_tf, or only a part of one: export the model again.";

void Check(bool holds, const std::string& message) {
  if (!holds) throw std::runtime_error(message);
}

std::string ReadBytes(const std::string& path) {
  std::error_code ignored;
  Check(!std::filesystem::is_directory(path, ignored),
        path + " is a folder: give an exported .tflite file.");
  Check(std::filesystem::exists(path, ignored), path + ": there is no such file.");
  // Reading a device might never end.
  Check(std::filesystem::is_regular_file(path, ignored), path + " is not a file.");
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  Check(file.good() || file.eof(), path + " cannot be read.");
  return bytes;
}

uint32_t Crc32(const char* bytes, size_t size) {
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table;
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) {
        value = value >> 1 ^ (value & 1 ? 0xEDB88320 : 0);
      }
      table[i] = value;
    }
    return table;
  }();
  uint32_t sum = 0xFFFFFFFF;
  for (size_t i = 0; i < size; ++i) {
    sum = sum >> 8 ^ kTable[(sum ^ static_cast<uint8_t>(bytes[i])) & 0xFF];
  }
  return ~sum;
}

// The zip archive at the end of a file, of uncompressed entries.
class Archive {
 public:
  // Throws std::out_of_range without an archive.
  explicit Archive(const std::string& bytes) : bytes_(bytes), begin_(bytes.size()) {
    const size_t end = bytes.rfind("PK\x05\x06");
    Require(end != std::string::npos && end + kEndSize <= bytes.size() &&
            bytes.size() - end <= kEndSize + kMostComment);
    const size_t directory = Number(end + 16, 4);
    Require(directory + Number(end + 12, 4) == end);
    size_t at = directory;
    for (uint32_t i = Number(end + 10, 2); i > 0; --i) {
      Require(bytes.compare(at, 4, "PK\x01\x02") == 0);
      entries_.push_back(at);
      begin_ = std::min<size_t>(begin_, Number(at + 42, 4));
      at += 46 + Number(at + 28, 2) + Number(at + 30, 2) + Number(at + 32, 2);
    }
    Require(at == end && begin_ <= directory);
  }

  // Where the archive begins.
  size_t begin() const { return begin_; }

  // Throws std::out_of_range if there is no such entry, or it is damaged.
  std::string Read(const std::string& name) const {
    for (const size_t entry : entries_) {
      if (bytes_.substr(entry + 46, Number(entry + 28, 2)) != name) continue;
      const size_t header = Number(entry + 42, 4), size = Number(entry + 24, 4);
      const size_t start =
          header + 30 + Number(header + 26, 2) + Number(header + 28, 2);
      // Compressed entries have another method than 0; grw_tf writes none.
      Require(Number(entry + 10, 2) == 0 && Number(entry + 20, 4) == size &&
              start + size <= bytes_.size() &&
              Crc32(bytes_.data() + start, size) == Number(entry + 16, 4));
      return bytes_.substr(start, size);
    }
    throw std::out_of_range(name);
  }

 private:
  static void Require(bool holds) {
    if (!holds) throw std::out_of_range("archive");
  }

  uint32_t Number(size_t at, size_t length) const {
    Require(at + length <= bytes_.size());
    uint32_t number = 0;
    while (length > 0) number = number << 8 | static_cast<uint8_t>(bytes_[at + --length]);
    return number;
  }

  const std::string& bytes_;
  size_t begin_;
  std::vector<size_t> entries_;
};

std::vector<std::string> Lines(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

bool IsFinite(const Json& value) {
  return value.IsNumber() &&
         std::abs(value.number()) <= std::numeric_limits<float>::max();
}

bool AreCounts(const Json& list) {
  const auto& items = list.items();
  return list.kind() == Json::Kind::kList &&
         std::all_of(items.begin(), items.end(),
                     [](const Json& item) { return item.IsCount(); });
}

std::vector<int64_t> Integers(const Json& list) {
  std::vector<int64_t> integers;
  for (const Json& item : list.items()) integers.push_back(item.integer());
  return integers;
}

bool IsKnownInput(const Json& input, int64_t version) {
  const Json &shape = input["shape"], &resize = input["resize"];
  if (!AreCounts(shape) || shape.items().size() != 4 || !resize.IsCount()) return false;
  const auto sizes = Integers(shape);
  const auto& range = input["range"].items();
  if (range.size() != 2 || range[0].number() != 0) return false;
  const double most = range[1].number();
  const std::string& dtype = input["dtype"].text();
  const std::string& fit = input["frame_fit"].text();
  return ((dtype == "uint8" && most == 255) || (dtype == "float32" && most == 1)) &&
         sizes[1] == sizes[2] && sizes[1] <= resize.integer() &&
         resize.integer() <= kMostResize && sizes[3] == 3 &&
         (!input.Has("channels") || input["channels"].text() == "RGB") &&
         (fit == "square" || fit == "short_side" ||
          (version == 1 && !input.Has("frame_fit")));
}

bool IsKnownState(const Json& state) {
  const Json& value = state["initial_value"];
  if (state["name"].kind() != Json::Kind::kString || !AreCounts(state["shape"]) ||
      !IsFinite(value)) {
    return false;
  }
  const std::string& dtype = state["dtype"].text();
  if (dtype == "float32") return true;
  const double number = value.number();
  const auto fits = [number](auto limits) {
    return number == std::floor(number) && limits.min() <= number &&
           number <= limits.max();
  };
  return (dtype == "int32" && fits(std::numeric_limits<int32_t>())) ||
         (dtype == "int16" && fits(std::numeric_limits<int16_t>())) ||
         (dtype == "int8" && fits(std::numeric_limits<int8_t>())) ||
         (dtype == "uint8" && fits(std::numeric_limits<uint8_t>()));
}

// Takes the thresholds of sigmoids over; returns whether the output is known.
bool TakeOutput(const Json& output, int64_t version, ExportedFile& file) {
  const std::string& activation = output["activation"].text();
  if (!output.Has("activation") || activation == "softmax") return true;
  if (activation != "sigmoid" || version < kSigmoidFormat) return false;
  for (const Json& threshold : output["thresholds"].items()) {
    if (!IsFinite(threshold) || threshold.number() < 0 || threshold.number() > 1) {
      return false;
    }
    file.thresholds.push_back(static_cast<float>(threshold.number()));
  }
  return file.thresholds.size() == file.labels.size();
}

double Number(const Json& entry, const std::string& name) {
  Check(entry[name].IsNumber(), name + " is not a number");
  return entry[name].number();
}

// Returns what grw-calibrate wrote. Throws std::runtime_error if it is damaged.
ExportedFile::Calibration ReadCalibration(const Json& entry) {
  ExportedFile::Calibration calibration;
  if (entry.kind() == Json::Kind::kNull) return calibration;
  const EventRules rules{Number(entry, "on_threshold"), Number(entry, "off_threshold"),
                         Number(entry, "least_seconds"), Number(entry, "merge_gap")};
  rules.Check();
  calibration.rules = rules;
  calibration.temperature = Number(entry, "temperature");
  Check(calibration.temperature > 0 && std::isfinite(calibration.temperature),
        "temperature must be above 0");
  const Json& memory = entry["memory_frames"];
  Check(memory.IsCount() ||
            (entry.Has("memory_frames") && memory.kind() == Json::Kind::kNull),
        "memory_frames must be a whole number above 0");
  calibration.memory_frames = memory.integer();
  return calibration;
}

bool ClassifiesClips(const Json& manifest) {
  const auto& names = manifest["signatures"].items();
  return std::any_of(names.begin(), names.end(),
                     [](const Json& name) { return name.text() == "classify_clip"; });
}

// Takes a manifest over into `file`; returns whether it describes a stream.
bool TakeManifest(const Json& manifest, ExportedFile& file) {
  const Json &version = manifest["format_version"], &input = manifest["input"];
  const Json &states = manifest["states"], &parity = manifest["parity"];
  if (!version.IsCount() || !IsKnownInput(input, version.integer())) return false;
  if (states.kind() != Json::Kind::kList) return false;
  std::set<std::string> names;
  for (const Json& state : states.items()) {
    if (!IsKnownState(state) || !names.insert(state["name"].text()).second) return false;
    file.states.push_back({state["name"].text(), Integers(state["shape"]),
                           state["dtype"].text(), state["initial_value"].number()});
  }
  for (const Json& name : manifest["signatures"].items()) {
    file.signatures.push_back(name.text());
  }
  file.image_shape = Integers(input["shape"]);
  file.image_dtype = input["dtype"].text();
  file.size = static_cast<int>(file.image_shape[1]);
  file.resize = static_cast<int>(input["resize"].integer());
  file.records_fit = input.Has("frame_fit");
  file.short_side = input["frame_fit"].text() == "short_side";
  file.fps = manifest["fps"].number();
  const auto& classes = manifest["output"]["shape"].items();
  const bool has_parity = parity.kind() == Json::Kind::kObject;
  if (has_parity && parity.Has("passed")) file.passed_parity = parity["passed"].boolean();
  const int64_t frames = manifest["frames_per_step"].integer();
  file.frames_per_step = static_cast<int>(frames);
  return IsFinite(manifest["fps"]) && file.fps > 0 && frames == file.image_shape[0] &&
         frames <= std::numeric_limits<int>::max() &&
         std::count(file.signatures.begin(), file.signatures.end(), "step") > 0 &&
         !classes.empty() && classes.back().integer() ==
                                 static_cast<int64_t>(file.labels.size()) &&
         TakeOutput(manifest["output"], version.integer(), file) &&
         (has_parity || parity.kind() == Json::Kind::kNull);
}

}  // namespace

ExportedFile ReadExportedFile(const std::string& path) {
  ExportedFile file;
  file.path = path;
  std::string bytes = ReadBytes(path);
  Json manifest;
  size_t model_size = 0;
  try {
    const Archive archive(bytes);
    const std::string labels = archive.Read("labels.txt");
    if (!IsUtf8(labels)) throw std::runtime_error("not UTF-8");
    file.labels = Lines(labels);
    manifest = Json::Parse(archive.Read("manifest.json"));
    model_size = archive.begin();
  } catch (const std::exception&) {
    throw std::runtime_error(path + " carries no labels and manifest" + kForeign);
  }
  Check(model_size >= 8 && bytes.compare(4, 4, "TFL3") == 0,
        path + " carries no TFLite model" + kForeign);
  const Json &version = manifest["format_version"], &sum = manifest["model_crc32"];
  Check(!version.IsCount() || version.integer() <= kNewestFormat,
        path + " has format " + std::to_string(version.integer()) +
            ", and this StreamSession reads formats up to " +
            std::to_string(kNewestFormat) + ": build a newer one.");
  Check(!ClassifiesClips(manifest),
        path + " classifies whole clips and cannot be streamed: export a stream model, or"
               " open it with grw_tf.streaming.ClipClassifier in Python.");
  Check(TakeManifest(manifest, file),
        path + " has a manifest that does not describe a stream of frames with " +
            std::to_string(file.labels.size()) +
            " labels: it is damaged, or another program wrote it.");
  Check(sum.kind() == Json::Kind::kNull ||
            sum.number() == Crc32(bytes.data(), model_size),
        path + " is damaged: copy it again, or export the model again.");
  try {
    file.calibration = ReadCalibration(manifest["none_of_these"]);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(path + " has thresholds that cannot be used (" +
                             error.what() + "): calibrate it again.");
  }
  bytes.resize(model_size);
  file.model = std::move(bytes);
  return file;
}

}  // namespace grw
