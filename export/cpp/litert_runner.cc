#include "litert_runner.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "litert_c_api.h"

namespace grw {
namespace {

constexpr int kMostThreads = 1024;

struct Destroyer {
  void operator()(LiteRtModelT* model) const { LiteRtDestroyModel(model); }
  void operator()(LiteRtOptionsT* options) const { LiteRtDestroyOptions(options); }
  void operator()(LiteRtCompiledModelT* compiled) const {
    LiteRtDestroyCompiledModel(compiled);
  }
  void operator()(LiteRtTensorBufferT* buffer) const {
    LiteRtDestroyTensorBuffer(buffer);
  }
};
template <typename T>
using Owned = std::unique_ptr<T, Destroyer>;
using Buffer = Owned<LiteRtTensorBufferT>;

// A failure of LiteRT, in words.
class LiteRtError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Check(LiteRtStatus status, const char* what) {
  if (status == kLiteRtStatusOk) return;
  throw LiteRtError(std::string("LiteRT ") + what + ", status " +
                    std::to_string(status));
}

struct Type {
  const char* name;
  LiteRtElementType litert;
  size_t bytes;
};
constexpr Type kTypes[] = {
    {"float32", kLiteRtElementTypeFloat32, 4}, {"int32", kLiteRtElementTypeInt32, 4},
    {"int16", kLiteRtElementTypeInt16, 2},     {"int8", kLiteRtElementTypeInt8, 1},
    {"uint8", kLiteRtElementTypeUInt8, 1},
};

// A tensor's type and shape.
struct Spec {
  std::string dtype;
  std::vector<int64_t> shape;

  size_t Bytes() const {
    size_t bytes = 0;
    for (const Type& type : kTypes) {
      if (dtype == type.name) bytes = type.bytes;
    }
    for (const int64_t length : shape) bytes *= static_cast<size_t>(length);
    return bytes;
  }
  std::string Words() const {
    std::string words = dtype + " [";
    for (size_t i = 0; i < shape.size(); ++i) {
      words += (i ? ", " : "") + std::to_string(shape[i]);
    }
    return words + "]";
  }
};

Spec SpecOf(const LiteRtRankedTensorType& type) {
  Spec spec{"type " + std::to_string(type.element_type), {}};
  for (const Type& known : kTypes) {
    if (type.element_type == known.litert) spec.dtype = known.name;
  }
  const auto* sizes = type.layout.dimensions;
  spec.shape.assign(sizes, sizes + std::min<unsigned>(type.layout.rank, 8));
  return spec;
}

// LiteRT's own, for all sessions of the process.
LiteRtEnvironment Environment() {
  static const LiteRtEnvironment environment = [] {
    LiteRtEnvOption options[2] = {};
    // The library of the GPU is neither looked for nor needed.
    options[0].tag = kLiteRtEnvOptionTagAutoRegisterAccelerators;
    options[0].value.type = kLiteRtAnyTypeInt;
    options[0].value.int_value = kLiteRtHwAcceleratorCpu;
    options[1].tag = kLiteRtEnvOptionTagMinLoggerSeverity;
    options[1].value.type = kLiteRtAnyTypeInt;
    options[1].value.int_value = kLiteRtLogSeveritySilent;
    LiteRtEnvironment created = nullptr;
    Check(LiteRtCreateEnvironment(2, options, &created), "cannot be started");
    return created;
  }();
  return environment;
}

// Writes or reads all of a buffer.
void Write(const Buffer& buffer, const void* bytes, size_t size) {
  void* memory = nullptr;
  Check(LiteRtLockTensorBuffer(buffer.get(), &memory, kLiteRtTensorBufferLockModeWrite),
        "gives no memory");
  std::memcpy(memory, bytes, size);
  Check(LiteRtUnlockTensorBuffer(buffer.get()), "takes no memory back");
}

std::vector<float> ReadFloats(const Buffer& buffer, size_t count) {
  void* memory = nullptr;
  Check(LiteRtLockTensorBuffer(buffer.get(), &memory, kLiteRtTensorBufferLockModeRead),
        "gives no memory");
  std::vector<float> values(count);
  std::memcpy(values.data(), memory, count * sizeof(float));
  Check(LiteRtUnlockTensorBuffer(buffer.get()), "takes no memory back");
  return values;
}

template <typename Number>
std::vector<char> Filled(size_t bytes, double value) {
  const std::vector<Number> numbers(bytes / sizeof(Number), static_cast<Number>(value));
  std::vector<char> filled(bytes);
  std::memcpy(filled.data(), numbers.data(), bytes);
  return filled;
}

std::vector<char> BytesOf(const ExportedFile::State& state, double value) {
  const size_t bytes = Spec{state.dtype, state.shape}.Bytes();
  if (state.dtype == "float32") return Filled<float>(bytes, value);
  if (state.dtype == "int32") return Filled<int32_t>(bytes, value);
  if (state.dtype == "int16") return Filled<int16_t>(bytes, value);
  if (state.dtype == "int8") return Filled<int8_t>(bytes, value);
  return Filled<uint8_t>(bytes, value);
}

}  // namespace

struct LiteRtRunner::Model {
  using Specs = std::map<std::string, Spec>;

  struct Signature {
    size_t index = 0;
    // Names and types in the order of the model.
    std::vector<std::pair<std::string, LiteRtRankedTensorType>> inputs, outputs;
  };

  Owned<LiteRtModelT> model;
  Owned<LiteRtOptionsT> options;
  Owned<LiteRtCompiledModelT> compiled;
  std::map<std::string, Signature> signatures;
  // Steps give the logits, or "classify" does.
  bool on_demand = false;
  Buffer image, logits;
  std::map<std::string, Buffer> now, next;
  std::map<std::string, std::vector<char>> initial;

  explicit Model(const ExportedFile& file) {
    LiteRtModel created = nullptr;
    // It verifies the model, which else might take the process down when it is run.
    Check(LiteRtCreateModelFromBuffer(Environment(), file.model.data(),
                                      file.model.size(), &created),
          "does not read it");
    model.reset(created);
    FindSignatures();
  }

  void Compile(const ExportedFile& file, int num_threads) {
    LiteRtOptions created = nullptr;
    Check(LiteRtCreateOptions(&created), "gives no options");
    options.reset(created);
    Check(LiteRtSetOptionsHardwareAccelerators(created, kLiteRtHwAcceleratorCpu),
          "takes no accelerator");
    const std::string threads = "num_threads = " + std::to_string(num_threads) + "\n";
    char* payload = strdup(threads.c_str());
    LiteRtOpaqueOptions cpu = nullptr;
    Check(LiteRtCreateOpaqueOptions("xnnpack", payload, std::free, &cpu),
          "takes no number of threads");
    Check(LiteRtAddOpaqueOptions(created, cpu), "takes no number of threads");
    LiteRtCompiledModel made = nullptr;
    Check(LiteRtCreateCompiledModel(Environment(), model.get(), created, &made),
          "does not compile it");
    compiled.reset(made);
    image = Input("step", "image");
    for (const auto& state : file.states) {
      now[state.name] = Input("step", state.name);
      next[state.name] = Output("step", state.name);
      initial[state.name] = BytesOf(state, state.initial_value);
    }
    logits = Output(on_demand ? "classify" : "step", "logits");
  }

  void FindSignatures() {
    size_t count = 0;
    Check(LiteRtGetNumModelSignatures(model.get(), &count), "finds no signatures");
    for (size_t i = 0; i < count; ++i) {
      LiteRtSignature found = nullptr;
      const char* key = nullptr;
      Check(LiteRtGetModelSignature(model.get(), i, &found), "finds no signature");
      Check(LiteRtGetSignatureKey(found, &key), "finds no signature's name");
      Signature& signature = signatures[key];
      signature.index = i;
      size_t inputs = 0, outputs = 0;
      Check(LiteRtGetNumSignatureInputs(found, &inputs), "finds no inputs");
      Check(LiteRtGetNumSignatureOutputs(found, &outputs), "finds no outputs");
      for (size_t j = 0; j < inputs; ++j) {
        signature.inputs.push_back(Described(found, j, LiteRtGetSignatureInputName,
                                             LiteRtGetSignatureInputTensorByIndex));
      }
      for (size_t j = 0; j < outputs; ++j) {
        signature.outputs.push_back(Described(found, j, LiteRtGetSignatureOutputName,
                                              LiteRtGetSignatureOutputTensorByIndex));
      }
    }
    on_demand = signatures.count("classify") > 0;
  }

  template <typename GetName, typename GetTensor>
  static std::pair<std::string, LiteRtRankedTensorType> Described(
      LiteRtSignature signature, size_t index, GetName get_name, GetTensor get_tensor) {
    const char* name = nullptr;
    LiteRtTensor tensor = nullptr;
    LiteRtRankedTensorType type = {};
    Check(get_name(signature, index, &name), "finds no tensor's name");
    Check(get_tensor(signature, index, &tensor), "finds no tensor");
    Check(LiteRtGetRankedTensorType(tensor, &type), "finds no tensor's type");
    return {name, type};
  }

  // Returns a difference of the model from its manifest, in words, or an empty text.
  std::string Difference(const ExportedFile& file) const {
    for (const std::string& name : file.signatures) {
      if (!signatures.count(name)) return "the model has no signature " + name;
    }
    Specs inputs, outputs, classified;
    for (const auto& state : file.states) {
      inputs[state.name] = outputs[state.name] = {state.dtype, state.shape};
    }
    const Spec logits{"float32", {1, static_cast<int64_t>(file.labels.size())}};
    if (on_demand) {
      for (const auto& [name, type] : signatures.at("classify").inputs) {
        if (inputs.count(name)) classified[name] = inputs[name];
      }
    } else {
      outputs["logits"] = logits;
    }
    inputs["image"] = {file.image_dtype, file.image_shape};
    const Signature& step = signatures.at("step");
    std::string found = Unlike("input", step.inputs, inputs);
    if (found.empty()) found = Unlike("output", step.outputs, outputs);
    if (!on_demand) return found;
    const Signature& classify = signatures.at("classify");
    if (found.empty()) found = Unlike("input", classify.inputs, classified);
    if (found.empty()) found = Unlike("output", classify.outputs, {{"logits", logits}});
    return found;
  }

  static std::string Unlike(
      const std::string& kind,
      const std::vector<std::pair<std::string, LiteRtRankedTensorType>>& tensors,
      const Specs& wanted) {
    Specs found;
    for (const auto& [name, type] : tensors) found[name] = SpecOf(type);
    for (const auto& [name, spec] : wanted) {
      if (!found.count(name)) return "the model has no " + kind + " " + name;
      const std::string words = found[name].Words();
      if (words != spec.Words()) {
        return kind + " " + name + " is " + words + " and not " + spec.Words();
      }
    }
    for (const auto& [name, spec] : found) {
      if (!wanted.count(name)) return "the manifest has no " + kind + " " + name;
    }
    return "";
  }

  Buffer Input(const std::string& signature, const std::string& name) const {
    return Make(signatures.at(signature).index, signatures.at(signature).inputs, name,
                LiteRtGetCompiledModelInputBufferRequirements);
  }

  Buffer Output(const std::string& signature, const std::string& name) const {
    return Make(signatures.at(signature).index, signatures.at(signature).outputs, name,
                LiteRtGetCompiledModelOutputBufferRequirements);
  }

  template <typename Tensors, typename Require>
  Buffer Make(size_t signature, const Tensors& tensors, const std::string& name,
              Require require) const {
    size_t index = 0;
    while (tensors.at(index).first != name) ++index;
    const LiteRtRankedTensorType& type = tensors[index].second;
    LiteRtTensorBufferRequirements requirements = nullptr;
    LiteRtTensorBuffer created = nullptr;
    size_t bytes = 0;
    Check(require(compiled.get(), signature, index, &requirements), "gives no memory");
    Check(LiteRtCreateManagedTensorBufferFromRequirements(Environment(), &type,
                                                          requirements, &created),
          "gives no memory");
    Buffer buffer(created);
    Check(LiteRtGetTensorBufferPackedSize(created, &bytes), "gives no memory");
    if (bytes != SpecOf(type).Bytes()) throw LiteRtError("LiteRT gives other memory");
    return buffer;
  }

  // Runs a signature on the present states.
  void Run(const std::string& name) {
    const Signature& signature = signatures.at(name);
    std::vector<LiteRtTensorBuffer> inputs, outputs;
    for (const auto& [input, type] : signature.inputs) {
      inputs.push_back((input == "image" ? image : now.at(input)).get());
    }
    for (const auto& [output, type] : signature.outputs) {
      outputs.push_back((output == "logits" ? logits : next.at(output)).get());
    }
    Check(LiteRtRunCompiledModel(compiled.get(), signature.index, inputs.size(),
                                 inputs.data(), outputs.size(), outputs.data()),
          "fails at it");
  }
};

LiteRtRunner::LiteRtRunner(ExportedFile file, int num_threads)
    : file_(std::move(file)) {
  if (num_threads < 1 || num_threads > kMostThreads) {
    throw std::runtime_error("num_threads is " + std::to_string(num_threads) +
                             ": it must be a whole number from 1 to " +
                             std::to_string(kMostThreads) + ".");
  }
  try {
    model_ = std::make_unique<Model>(file_);
  } catch (const LiteRtError& error) {
    throw std::runtime_error(file_.path + " holds a damaged model (" + error.what() +
                             "): copy it again, or export the model again.");
  }
  const std::string difference = model_->Difference(file_);
  if (!difference.empty()) {
    throw std::runtime_error(file_.path + " has a manifest of another model (" +
                             difference + "): export the model again.");
  }
  image_.resize(Spec{file_.image_dtype, file_.image_shape}.Bytes());
  try {
    model_->Compile(file_, num_threads);
    // The first run fails if the model cannot be run.
    Reset();
    if (!Step()) Classify();
    Reset();
  } catch (const LiteRtError& error) {
    throw std::runtime_error(file_.path + " cannot be run (" + error.what() +
                             "): it is damaged, or needs a newer LiteRT.");
  }
}

LiteRtRunner::~LiteRtRunner() = default;

void LiteRtRunner::TakeFrame(const uint8_t* square, int index) {
  const size_t count = static_cast<size_t>(file_.size) * file_.size * 3;
  if (file_.image_dtype == "uint8") {
    std::memcpy(image_.data() + index * count, square, count);
    return;
  }
  std::vector<float> fractions(count);
  for (size_t i = 0; i < count; ++i) fractions[i] = square[i] / 255.0f;
  std::memcpy(image_.data() + index * count * sizeof(float), fractions.data(),
              count * sizeof(float));
}

std::optional<std::vector<float>> LiteRtRunner::Step() {
  Write(model_->image, image_.data(), image_.size());
  model_->Run("step");
  std::swap(model_->now, model_->next);
  if (model_->on_demand) return std::nullopt;
  return ReadFloats(model_->logits, file_.labels.size());
}

std::vector<float> LiteRtRunner::Classify() {
  model_->Run("classify");
  return ReadFloats(model_->logits, file_.labels.size());
}

void LiteRtRunner::Reset() {
  for (const auto& [name, bytes] : model_->initial) {
    Write(model_->now.at(name), bytes.data(), bytes.size());
  }
}

void LiteRtRunner::SetState(const std::string& name, double value) {
  for (const auto& state : file_.states) {
    if (state.name != name) continue;
    const std::vector<char> bytes = BytesOf(state, value);
    Write(model_->now.at(name), bytes.data(), bytes.size());
  }
}

}  // namespace grw
