// Runs an exported model on a stream of frames, on iOS 15 or macOS 12 and later.
//
// NOT BUILT in this repository, which has no Swift compiler. It follows the Kotlin version,
// export/android, which is compiled and tested. Check it by tests/vectors before you ship it.
//
// Add the Swift package https://github.com/google-ai-edge/LiteRT, branch release/2.3.0,
// product LiteRT.
//
//     let session = try StreamSession(path: path)
//     try session.push(rgb, width: width, height: height, time: seconds)
//     if session.steps > 0 { show(try session.top(3)) }
//
// Not safe to use from several threads at once.

import Foundation
import LiteRT

public struct StreamError: LocalizedError {
  public let errorDescription: String?
  init(_ message: String) { errorDescription = message }
}

private func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
  if !holds { throw StreamError(message()) }
}

/// Classifies a video frame by frame.
///
/// Without times, the model sees every frame pushed. With times, in seconds, it sees the
/// frames that training would take from such a video: it sees a frame once the next one
/// comes, because only then is it known how long the frame was on screen. Times that seem to
/// be in a smaller unit are refused; while the first ones leave that in doubt, their frames
/// are kept until the unit is settled, or `flush`.
///
/// It applies what grw-calibrate put into a file: thresholds and temperature to `answer` and
/// events, and the memory, beyond which the model forgets.
public final class StreamSession {
  public let labels: [String]
  /// The scores from which `named` names classes; nil for a model with a softmax.
  public let thresholds: [Float]?
  /// Height and width in pixels of the model's frames.
  public let size: Int
  /// The model's frames per second.
  public let fps: Double
  public let framesPerStep: Int
  /// Steps the model has taken since the start or `reset`.
  public private(set) var steps = 0

  /// A frame of the stream; one that is already prepared has no width.
  private struct Frame {
    let pixels: [UInt8]
    let width, height: Int
  }

  private let runner: LiteRTRunner
  private let clock: FrameClock
  private let timeUnit: TimeUnit
  private let preparation: FramePreparation
  // Frames whose times may not be in seconds.
  private var kept: [(frame: Frame, time: Double)] = []
  private var shown: Frame?
  private var filled = 0
  private var lastLogits: [Float]?
  private let temperature: Double
  private let rules: EventRules?
  private let detector: EventDetector?
  private var found: [Event] = []
  // States that count frames, and what they count to before a step.
  private let counts: [String]
  private let mostCount: Int
  // Seconds before the frame on screen that times skipped.
  private var skipped = 0.0

  /// Opens an exported .tflite file.
  ///
  /// - Parameters:
  ///   - maxGap: Seconds that a frame is repeated for when times jump ahead.
  ///   - findEvents: Whether to find events, by the file's calibration, or for a model with
  ///     several labels by its thresholds. A model that gives logits on demand is then asked
  ///     for them at each step.
  ///   - rules: Rules to take instead of the file's, for answers too; not for several labels.
  ///   - memoryFrames: Frames beyond which the model forgets, 0 for never; by default as the
  ///     file was calibrated.
  ///   - warn: Receives warnings.
  public init(
    path: String, numThreads: Int = 1, maxGap: Double = 1, findEvents: Bool = false,
    rules: EventRules? = nil, memoryFrames: Int? = nil,
    warn: @escaping (String) -> Void = { NSLog("%@", $0) }
  ) throws {
    let exported = try ExportedFile(path: path)
    labels = exported.labels
    thresholds = exported.thresholds
    size = exported.imageShape[1]
    fps = exported.fps
    framesPerStep = exported.imageShape[0]
    try rules?.check()
    try require(
      rules == nil || exported.thresholds == nil,
      "\(path) is the file of a model with several labels at once, each with its own threshold:"
        + " give no rules.")
    let calibration = exported.calibration
    temperature = calibration.temperature
    let used = rules ?? calibration.rules
    self.rules = used
    detector = try findEvents ? EventDetector(exported, used) : nil
    let memory = memoryFrames ?? calibration.memoryFrames
    try require(memory >= 0, "memoryFrames is \(memory): it must be 0 or more.")
    counts = exported.states.keys.filter { $0.hasSuffix("frame_count") }
    mostCount = memory == 0 ? Int.max : max(0, memory - exported.imageShape[0])
    clock = FrameClock(fps: fps, maxGap: maxGap, warn: warn)
    timeUnit = TimeUnit(maxGap: maxGap)
    preparation = FramePreparation(
      shortSide: exported.shortSide, side: exported.resize, size: size)
    runner = try LiteRTRunner(exported, numThreads: numThreads)
    if !exported.passedParity {
      warn("\(path) was exported although it does not give its model's numbers.")
    }
    try reset()
  }

  /// Takes the next frame, bytes [height, width, 3], RGB, of any size. Returns the
  /// probabilities if the model gives them at each step and this frame completed one.
  @discardableResult
  public func push(_ rgb: [UInt8], width: Int, height: Int, time: Double? = nil) throws
    -> [Float]?
  {
    try require(
      width > 0 && height > 0 && rgb.count == width * height * 3,
      "A frame of \(width) x \(height) pixels has other than \(rgb.count) bytes.")
    return try push(Frame(pixels: rgb, width: width, height: height), time)
  }

  /// The same for bytes [size, size, 3] that are already resized and cropped.
  @discardableResult
  public func pushPrepared(_ square: [UInt8], time: Double? = nil) throws -> [Float]? {
    try require(
      square.count == size * size * 3,
      "A prepared frame has \(size * size * 3) bytes, got \(square.count).")
    return try push(Frame(pixels: square, width: 0, height: 0), time)
  }

  /// Ends the video: the model sees the last of the frames with times.
  @discardableResult
  public func flush(time: Double? = nil) throws -> [Float]? {
    try require(time?.isNaN != true, "The end's time must be a number of seconds.")
    timeUnit.restart()
    let before = try takeKept()
    skipped = clock.skipped
    let last = try showUntilNext(clock.end(time))
    if let detector { found += detector.finish() }
    return last ?? before
  }

  /// Returns the probabilities for the frames seen so far; for a model with several labels,
  /// the sigmoid of each class.
  public func classify() throws -> [Float] { scores(try logits()) }

  public func logits() throws -> [Float] {
    try require(steps > 0, "Push frames first: the stream has seen no whole step.")
    let values = try lastLogits ?? runner.classify()
    lastLogits = values
    return values
  }

  /// Returns the likeliest classes and their probabilities, likeliest first.
  public func top(_ k: Int = 3) throws -> [(name: String, probability: Float)] {
    zip(labels, try classify()).sorted { $0.1 > $1.1 }.prefix(k).map { ($0.0, $0.1) }
  }

  /// Returns the classes whose sigmoids reach their thresholds and these scores, best first:
  /// none, one or several. Throws for a model with a softmax, which has no thresholds.
  public func named() throws -> [(name: String, score: Float)] {
    guard let thresholds else {
      throw StreamError(
        "This model has a softmax, of which exactly one class is right: ask for top().")
    }
    let scores = try classify()
    return scores.indices.filter { scores[$0] >= thresholds[$0] }
      .sorted { scores[$0] > scores[$1] }.map { (labels[$0], scores[$0]) }
  }

  /// Whether `answer` may say "none of these".
  public var maySayNone: Bool { rules != nil || labels.contains(background) }

  /// Returns the likeliest class and its score, the probability at the file's calibrated
  /// temperature. The class is nil, "none of these", if the score does not reach the
  /// calibrated threshold, or if it is "background". Throws for several labels.
  public func answer() throws -> (label: String?, score: Double) {
    try require(
      thresholds == nil,
      "This model has several labels at once, each with its own threshold: ask for named().")
    let scores = eventScores(try logits())
    let index = best(scores)
    // A broken model's NaN reaches no threshold.
    let fails = rules.map { !(scores[index] >= $0.onThreshold) } ?? false
    return (fails || labels[index] == background ? nil : labels[index], scores[index])
  }

  /// Returns the events found since the last call, by start. An event is found when it is over
  /// and too long ago to be merged with a later one; `flush` ends all. Throws if the session
  /// was opened without `findEvents`.
  public func events() throws -> [Event] {
    try require(
      detector != nil, "This session finds no events: open it with findEvents: true.")
    defer { found = [] }
    return found
  }

  /// Forgets all frames, and events that nobody has taken.
  public func reset() throws {
    try runner.reset()
    clock.restart()
    timeUnit.restart()
    kept = []
    shown = nil
    filled = 0
    steps = 0
    lastLogits = nil
    _ = detector?.finish()
    found = []
    skipped = 0
  }

  private func push(_ frame: Frame, _ time: Double?) throws -> [Float]? {
    guard let time else {
      try require(
        shown == nil && kept.isEmpty,
        "This frame has no time, but those before it had: give one, or call flush() or"
          + " reset() first.")
      return try see(prepared(frame))
    }
    try require(time.isFinite, "A frame's time must be a number of seconds.")
    let canBeShown = try timeUnit.check(time)
    kept.append((frame, time))
    return canBeShown ? try takeKept() : nil
  }

  private func takeKept() throws -> [Float]? {
    let frames = kept
    kept = []
    var probabilities: [Float]?
    for (frame, time) in frames {
      skipped = clock.skipped
      probabilities = try showUntilNext(clock.arrive(time)) ?? probabilities
      shown = frame
    }
    return probabilities
  }

  private func showUntilNext(_ ticks: Int) throws -> [Float]? {
    guard let frame = shown else { return nil }
    shown = nil
    if ticks == 0 { return nil }
    let square = prepared(frame)
    var probabilities: [Float]?
    for _ in 0..<ticks { probabilities = try see(square) ?? probabilities }
    return probabilities
  }

  private func prepared(_ frame: Frame) -> [UInt8] {
    frame.width == 0
      ? frame.pixels
      : preparation.prepare(frame.pixels, width: frame.width, height: frame.height)
  }

  private func see(_ square: [UInt8]) throws -> [Float]? {
    runner.take(square, index: filled)
    filled += 1
    if filled < framesPerStep { return nil }
    filled = 0
    if steps * framesPerStep > mostCount {
      for name in counts { try runner.setState(name, Double(mostCount)) }
    }
    let given = try runner.step()
    lastLogits = given
    steps += 1
    if let detector {
      let seconds = Double(framesPerStep) / fps
      let start = Double(steps - 1) * seconds + skipped
      let scores = eventScores(try logits())
      found += detector.push(start, start + seconds, scores)
    }
    return given.map(scores)
  }

  /// Returns the scores of answers and events: calibrated probabilities, or sigmoids.
  private func eventScores(_ logits: [Float]) -> [Double] {
    if thresholds != nil { return scores(logits).map { Double($0) } }
    let largest = Double(logits.max() ?? 0)
    let exponentials = logits.map { exp((Double($0) - largest) / temperature) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  private func scores(_ logits: [Float]) -> [Float] {
    thresholds == nil ? softmax(logits) : logits.map { 1 / (1 + exp(-$0)) }
  }

  private func softmax(_ logits: [Float]) -> [Float] {
    let largest = logits.max() ?? 0
    let exponentials = logits.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }
}

/// No event and no answer is of this class.
private let background = "background"

/// Returns the first index of the highest score.
private func best(_ scores: [Double]) -> Int { scores.firstIndex(of: scores.max() ?? 0) ?? 0 }

/// When events of a model that names one class begin, end, and count.
public struct EventRules {
  /// Score at which an event of the likeliest class begins.
  public let onThreshold: Double
  /// Score of its class below which the event ends.
  public let offThreshold: Double
  /// Shortest event that counts.
  public let leastSeconds: Double
  /// Most seconds between two events of one class that are taken for one.
  public let mergeGap: Double

  public init(
    onThreshold: Double, offThreshold: Double, leastSeconds: Double = 0.5,
    mergeGap: Double = 0.5
  ) {
    self.onThreshold = onThreshold
    self.offThreshold = offThreshold
    self.leastSeconds = leastSeconds
    self.mergeGap = mergeGap
  }

  fileprivate func check() throws {
    try require(
      0 < offThreshold && offThreshold <= onThreshold && onThreshold <= 1,
      "onThreshold is \(onThreshold) and offThreshold \(offThreshold): scores are probabilities,"
        + " so both must be above 0 and at most 1, and the second not above the first.")
    try require(
      leastSeconds >= 0 && leastSeconds.isFinite && mergeGap >= 0 && mergeGap.isFinite,
      "leastSeconds is \(leastSeconds) and mergeGap \(mergeGap): both must be 0 s or more.")
  }
}

/// An event, from `start` to `end` in seconds since the first frame, and the highest score of
/// its class in it.
public struct Event {
  public fileprivate(set) var start, end: Double
  public let label: String
  public fileprivate(set) var score: Double

  fileprivate mutating func extend(_ end: Double, _ score: Double) {
    self.end = end
    self.score = max(self.score, score)
  }
}

/// Turns scores of steps into events. See grw_tf/streaming/events.py.
private final class EventDetector {
  // Times of steps are multiples of 1 / fps, with rounding errors.
  private let rounding = 1e-6
  // The off-threshold of a class with its own threshold, as a share of that.
  private static let offShare: Float = 0.8
  private let labels: [String]
  private let on, off: [Double]
  // Whether each class has its own events; else there is one at a time.
  private let overlap: Bool
  private let leastSeconds, mergeGap: Double
  // The events that go on, with their classes, and those that ended, by start.
  private var going: [(index: Int, event: Event)] = []
  private var ended: [Event] = []

  init(_ exported: ExportedFile, _ rules: EventRules?) throws {
    labels = exported.labels
    overlap = exported.thresholds != nil
    // Those of several labels go by their thresholds, and otherwise by the usual rules.
    guard let rules = overlap ? EventRules(onThreshold: 1, offThreshold: 1) : rules else {
      throw StreamError(
        "\(exported.path) has no calibrated threshold: calibrate it with grw-calibrate, or give"
          + " rules.")
    }
    // Scores are single precision, in which thresholds are rounded too.
    on = exported.thresholds?.map { Double($0) } ?? exported.labels.map { _ in rules.onThreshold }
    off =
      exported.thresholds?.map { Double(EventDetector.offShare * $0) }
      ?? exported.labels.map { _ in rules.offThreshold }
    leastSeconds = rules.leastSeconds
    mergeGap = rules.mergeGap
  }

  /// Takes the scores of a step; returns the events that are over and can no longer be merged
  /// with a later one.
  func push(_ start: Double, _ end: Double, _ scores: [Double]) -> [Event] {
    let candidates = overlap ? Array(scores.indices) : [best(scores)]
    let begin = candidates.filter { scores[$0] >= on[$0] }
    for (index, event) in going {
      let replaced = !begin.isEmpty && !begin.contains(index) && !overlap
      let holds = scores[index] >= off[index]
      if start > event.end + rounding || !holds || replaced { close(index) }
    }
    for place in going.indices {
      let score = scores[going[place].index]
      going[place].event.extend(end, score)
    }
    for index in begin where labels[index] != background {
      if going.contains(where: { $0.index == index }) { continue }
      var event = takenUp(labels[index], start, end)
      event.extend(end, scores[index])
      going.append((index, event))
    }
    return takeSettled(end)
  }

  /// Ends the stream; returns the events left, and starts over.
  func finish() -> [Event] {
    for (index, _) in going { close(index) }
    defer { ended = [] }
    return takeSettled(.infinity)
  }

  private func close(_ index: Int) {
    let place = going.firstIndex { $0.index == index }!
    let event = going.remove(at: place).event
    // Behind those that began no later.
    ended.insert(event, at: ended.firstIndex { $0.start > event.start } ?? ended.count)
  }

  /// Removes and returns the event that one of a class continues, or else returns a new one.
  private func takenUp(_ label: String, _ start: Double, _ end: Double) -> Event {
    let place = ended.firstIndex {
      $0.label == label && start - $0.end <= mergeGap + rounding
    }
    return place.map { ended.remove(at: $0) }
      ?? Event(start: start, end: end, label: label, score: 0)
  }

  private func takeSettled(_ now: Double) -> [Event] {
    let settled = now - mergeGap - rounding
    ended.removeAll { $0.end < settled && $0.end - $0.start < leastSeconds - rounding }
    let unsettled = ended.filter { $0.end >= settled } + going.map { $0.event }
    let first = unsettled.map(\.start).min() ?? .infinity
    let taken = Array(ended.prefix { $0.start < first })
    ended.removeFirst(taken.count)
    return taken
  }
}

/// Runs the steps of a stream with LiteRT's compiled model.
private final class LiteRTRunner {
  private let exported: ExportedFile
  private let model: CompiledModel
  private let inputs: [String], outputs: [String]
  private let stepIndex: Int
  private var onDemand: (index: Int, inputs: [String])?
  private let image: TensorBuffer
  private let logits: TensorBuffer
  // A step reads one set of states and writes the other; then they change places.
  private var now: [String: TensorBuffer] = [:]
  private var next: [String: TensorBuffer] = [:]
  private var chunk: [UInt8] = []

  init(_ exported: ExportedFile, numThreads: Int) throws {
    self.exported = exported
    let options = try Options()
    try options.setHardwareAccelerators([.cpu])
    let cpu = try CpuOptions()
    try cpu.setNumThreads(numThreads)
    try options.addConcreteOptions(cpu)
    let model = try CompiledModel(
      filePath: exported.path, environment: try Environment(), options: options)
    self.model = model
    // The step is the signature that takes an image.
    var step: Int?
    for index in 0..<exported.signatureCount {
      let names = try (0..<model.inputCount(signatureIndex: index)).map {
        try model.inputName(inputIndex: $0, signatureIndex: index)
      }
      if names.contains("image") { step = index } else { onDemand = (index, names) }
    }
    guard let step else { throw StreamError("\(exported.path) has no signature step.") }
    stepIndex = step
    inputs = try (0..<model.inputCount(signatureIndex: step)).map {
      try model.inputName(inputIndex: $0, signatureIndex: step)
    }
    outputs = try (0..<model.outputCount(signatureIndex: step)).map {
      try model.outputName(outputIndex: $0, signatureIndex: step)
    }
    let first = Dictionary(
      uniqueKeysWithValues: zip(inputs, try model.createInputBuffers(signatureIndex: step)))
    let second = Dictionary(
      uniqueKeysWithValues: zip(outputs, try model.createOutputBuffers(signatureIndex: step)))
    let maker = try onDemand.map { try model.createOutputBuffers(signatureIndex: $0.index)[0] }
    guard let image = first["image"], let logits = maker ?? second["logits"] else {
      throw StreamError("\(exported.path) has a manifest of another model.")
    }
    self.image = image
    self.logits = logits
    for name in exported.states.keys {
      guard let before = first[name], let after = second[name] else {
        throw StreamError("\(exported.path) has a manifest of another model: no state \(name).")
      }
      now[name] = before
      next[name] = after
    }
  }

  func reset() throws {
    for (name, state) in exported.states { try setState(name, state.initialValue) }
  }

  /// Sets all numbers of a state before the next step.
  func setState(_ name: String, _ value: Double) throws {
    let state = exported.states[name]!
    let count = state.shape.reduce(1, *)
    let buffer = now[name]!
    switch state.dtype {
    case "float32": try buffer.write([Float](repeating: Float(value), count: count))
    case "int32": try buffer.write([Int32](repeating: Int32(value), count: count))
    case "int16": try buffer.write([Int16](repeating: Int16(value), count: count))
    case "int8": try buffer.write([Int8](repeating: Int8(value), count: count))
    default: try buffer.write([UInt8](repeating: UInt8(value), count: count))
    }
  }

  func take(_ square: [UInt8], index: Int) {
    chunk = index == 0 ? square : chunk + square
  }

  /// Returns the logits, or nil if `classify` gives them on demand.
  func step() throws -> [Float]? {
    if exported.imageDtype == "uint8" {
      try image.write(chunk)
    } else {
      try image.write(chunk.map { Float($0) / 255 })
    }
    try model.run(
      inputs: inputs.map { $0 == "image" ? image : now[$0]! },
      outputs: outputs.map { $0 == "logits" ? logits : next[$0]! },
      signatureIndex: stepIndex)
    swap(&now, &next)
    return onDemand == nil ? try logits.read() : nil
  }

  func classify() throws -> [Float] {
    guard let (index, names) = onDemand else { return try logits.read() }
    try model.run(inputs: names.map { now[$0]! }, outputs: [logits], signatureIndex: index)
    return try logits.read()
  }
}

/// An exported file's labels and manifest, from the zip archive after the model.
private struct ExportedFile {
  struct State {
    let dtype: String
    let shape: [Int]
    let initialValue: Double
  }

  /// What grw-calibrate put into a file.
  struct Calibration {
    var temperature = 1.0
    var rules: EventRules?
    /// Frames beyond which the model forgets; 0 for never.
    var memoryFrames = 0
  }

  let path: String
  let labels: [String]
  let calibration: Calibration
  let states: [String: State]
  let thresholds: [Float]?
  let signatureCount: Int
  let imageShape: [Int]
  let imageDtype: String
  let fps: Double
  let resize: Int
  let shortSide, passedParity: Bool

  init(path: String) throws {
    self.path = path
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    guard let archive = Archive(bytes), let names = archive.read("labels.txt"),
      let text = String(bytes: names, encoding: .utf8), let json = archive.read("manifest.json"),
      let parsed = try? JSONSerialization.jsonObject(with: Data(json)),
      let manifest = parsed as? [String: Any]
    else {
      throw StreamError(
        "\(path) carries no labels and manifest: it is not an export of grw_tf, or only a part"
          + " of one: export the model again.")
    }
    let lines = text.hasSuffix("\n") ? String(text.dropLast()) : text
    labels = lines.components(separatedBy: "\n")
    let version = manifest["format_version"] as? Int ?? 0
    try require(
      version <= 3,
      "\(path) has format \(version), and this StreamSession reads formats up to 3.")
    let listed = manifest["signatures"] as? [String] ?? []
    try require(
      !listed.contains("classify_clip"),
      "\(path) classifies whole clips and cannot be streamed: export a stream model, or open it"
        + " with grw_tf.streaming.ClipClassifier in Python.")
    guard let input = manifest["input"] as? [String: Any],
      let shape = input["shape"] as? [Int], shape.count == 4, shape.allSatisfy({ $0 > 0 }),
      shape[1] == shape[2], shape[3] == 3, let side = input["resize"] as? Int,
      (shape[1]...10_000).contains(side), let dtype = input["dtype"] as? String,
      ["uint8", "float32"].contains(dtype), let rate = manifest["fps"] as? Double, rate > 0,
      let signatures = manifest["signatures"] as? [String], signatures.contains("step"),
      let entries = manifest["states"] as? [[String: Any]],
      manifest["frames_per_step"] as? Int == shape[0],
      let output = manifest["output"] as? [String: Any],
      (output["shape"] as? [Int])?.last == labels.count,
      let fit = input["frame_fit"] as? String ?? (version == 1 ? "square" : nil),
      ["square", "short_side"].contains(fit)
    else {
      throw StreamError(
        "\(path) has a manifest that does not describe a stream of frames with"
          + " \(labels.count) labels: it is damaged, or another program wrote it.")
    }
    let activation = output["activation"] as? String ?? "softmax"
    let scores = output["thresholds"] as? [Double]
    try require(
      activation == "softmax"
        || activation == "sigmoid" && version >= 3 && scores?.count == labels.count
          && scores!.allSatisfy { (0...1).contains($0) },
      "\(path) has a manifest with an unknown output: another program wrote it.")
    thresholds = activation == "softmax" ? nil : scores!.map { Float($0) }
    var found: [String: State] = [:]
    for entry in entries {
      guard let name = entry["name"] as? String, let dtype = entry["dtype"] as? String,
        ["float32", "int32", "int16", "int8", "uint8"].contains(dtype),
        let shape = entry["shape"] as? [Int], let value = entry["initial_value"] as? Double
      else { throw StreamError("\(path) has a manifest with an unknown state.") }
      found[name] = State(dtype: dtype, shape: shape, initialValue: value)
    }
    if let sum = manifest["model_crc32"] as? NSNumber {
      try require(
        crc32(bytes[..<archive.begin]) == sum.uint32Value,
        "\(path) is damaged: copy it again, or export the model again.")
    }
    calibration = try ExportedFile.readCalibration(manifest["none_of_these"], path)
    states = found
    signatureCount = signatures.count
    imageShape = shape
    imageDtype = dtype
    fps = rate
    resize = side
    shortSide = fit == "short_side"
    passedParity = (manifest["parity"] as? [String: Any])?["passed"] as? Bool ?? true
  }
}

extension ExportedFile {
  fileprivate static func readCalibration(_ value: Any?, _ path: String) throws -> Calibration {
    guard let value, !(value is NSNull) else { return Calibration() }
    let damaged = StreamError(
      "\(path) has thresholds that cannot be used: calibrate it again.")
    guard let entry = value as? [String: Any],
      let on = entry["on_threshold"] as? Double, let off = entry["off_threshold"] as? Double,
      let least = entry["least_seconds"] as? Double, let gap = entry["merge_gap"] as? Double,
      let temperature = entry["temperature"] as? Double, temperature > 0,
      temperature.isFinite, let memory = entry["memory_frames"],
      let frames = memory is NSNull ? 0 : memory as? Int, memory is NSNull || frames > 0
    else { throw damaged }
    let rules = EventRules(
      onThreshold: on, offThreshold: off, leastSeconds: least, mergeGap: gap)
    do { try rules.check() } catch { throw damaged }
    return Calibration(temperature: temperature, rules: rules, memoryFrames: frames)
  }
}

/// The zip archive at the end of a file, of uncompressed entries.
private struct Archive {
  private let bytes: [UInt8]
  private var entries: [Int] = []
  /// Where the archive begins.
  private(set) var begin: Int

  init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    begin = bytes.count
    var end = bytes.count - 22
    while end >= 0, number(end, 4) != 0x0605_4b50 { end -= 1 }
    guard end >= 0, var entry = number(end + 16, 4), let count = number(end + 10, 2) else {
      return nil
    }
    for _ in 0..<count {
      guard number(entry, 4) == 0x0201_4b50, let header = number(entry + 42, 4),
        let name = number(entry + 28, 2), let extra = number(entry + 30, 2),
        let comment = number(entry + 32, 2)
      else { return nil }
      entries.append(entry)
      begin = min(begin, header)
      entry += 46 + name + extra + comment
    }
    guard entry == end else { return nil }
  }

  func read(_ name: String) -> [UInt8]? {
    for entry in entries {
      guard let length = number(entry + 28, 2), entry + 46 + length <= bytes.count else {
        return nil
      }
      if Array(bytes[(entry + 46)..<(entry + 46 + length)]) != Array(name.utf8) { continue }
      guard number(entry + 10, 2) == 0, let size = number(entry + 24, 4),
        let header = number(entry + 42, 4), let before = number(header + 26, 2),
        let extra = number(header + 28, 2)
      else { return nil }
      let start = header + 30 + before + extra
      guard start + size <= bytes.count else { return nil }
      return Array(bytes[start..<(start + size)])
    }
    return nil
  }

  private func number(_ at: Int, _ length: Int) -> Int? {
    guard at >= 0, at + length <= bytes.count else { return nil }
    return (0..<length).reversed().reduce(0) { $0 << 8 | Int(bytes[at + $1]) }
  }
}

private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  let table = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
  }
  return ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 0xFF)] }
}

/// Chooses frames by their times: at each tick, k / fps seconds after the first frame, the
/// model sees the frame on screen. See grw_tf/frames/clock.py.
private final class FrameClock {
  // Containers round times to a millisecond.
  private let tolerance = 1e-3
  // Seconds. A longer gap is a jump of the clock.
  private let leastJump: Double
  // Seconds. A frame earlier by more than this was not merely stored out of order.
  private let mostOutOfOrder = 1.0
  private let fps, maxGap: Double
  private let warn: (String) -> Void
  private var first: Double?
  private var last = 0.0, interval = 0.0, shift = 0.0, formerShift = 0.0
  // Time of the last frame, if it replaced another.
  private var early: Double?
  private var tick = 0
  private var warned: Set<String> = []
  /// Seconds without ticks, because times jumped ahead.
  private(set) var skipped = 0.0

  init(fps: Double, maxGap: Double, warn: @escaping (String) -> Void) {
    self.fps = fps
    self.maxGap = maxGap
    self.warn = warn
    leastJump = max(maxGap, 10)
  }

  func restart() {
    first = nil
    skipped = 0
  }

  /// Takes the time of the next frame; returns how many ticks the previous one covers.
  func arrive(_ time: Double) -> Int {
    guard first != nil else {
      (first, last, interval, tick, early) = (time, time, 1 / fps, 0, nil)
      (shift, formerShift) = (0, 0)
      return 0
    }
    let jump = time + shift - last
    if jump < -mostOutOfOrder || jump > leastJump,
      abs(time + formerShift - last) <= mostOutOfOrder
    {
      swap(&shift, &formerShift)
    }
    let now = time + shift
    let before = early
    early = nil
    if now > last {
      goAhead(now)
    } else if now - last < -mostOutOfOrder || (before.map { $0 < now && now < last } ?? false) {
      warnOnce("jump", "Time is set back: it continues from where it was.")
      formerShift = shift
      last += interval * (before == nil ? 1 : 2)
      shift += last - now
    } else {
      early = now
      warnOnce("overlap", "Times overlap: such a frame replaces the one before it.")
    }
    return ticksBefore(last)
  }

  /// Ends the video, at a time or after one more interval; returns the last frame's ticks.
  func end(_ time: Double?) -> Int {
    guard first != nil else { return 0 }
    let end = time.map { $0 + shift } ?? last + interval
    let count = ticksBefore(max(shownUntil(end), last + 2 * tolerance))
    restart()
    return count
  }

  private func shownUntil(_ time: Double) -> Double {
    time - last > leastJump ? last + maxGap : time
  }

  private func goAhead(_ time: Double) {
    let until = shownUntil(time)
    if until < time {
      warnOnce("jump", "Time jumps ahead: the frame before is repeated for \(maxGap) s.")
      formerShift = shift
      shift -= time - until
      skipped += time - until
    } else {
      interval = time - last
    }
    last = until
  }

  private func ticksBefore(_ time: Double) -> Int {
    let before = tick
    while Double(tick) / fps < time - first! - tolerance { tick += 1 }
    return tick - before
  }

  private func warnOnce(_ kind: String, _ message: String) {
    if warned.insert(kind).inserted { warn(message) }
  }
}

/// Decides from the first frames of a stream whether times are in seconds or in a smaller
/// unit. See grw_tf/frames/time_unit.py for the rule and its numbers.
private final class TimeUnit {
  private static let units: [(name: String, longest: Double, perSecond: Double)] = [
    ("milliseconds", 1e3, 1e3), ("90 kHz ticks", 8e3, 9e4), ("microseconds", 1e6, 1e6),
    ("nanoseconds", .infinity, 1e9),
  ]
  private let leastStep: Double
  private var times: [Double] = []
  private var settled = false

  init(maxGap: Double) { leastStep = max(5, maxGap) }

  func restart() {
    times = []
    settled = false
  }

  /// Takes the time of the next frame. Returns whether the frame can be shown; if not, its
  /// time is in doubt until a later call returns true or throws.
  func check(_ time: Double) throws -> Bool {
    if settled { return true }
    let taken = times + [time]
    let steps = zip(taken.dropFirst(), taken).map { $0 - $1 }.filter { $0 > 0 }.sorted()
    let long = steps.filter { $0 > leastStep }.count
    if steps.count - long < 2 {
      if let unit = smallerUnit(steps) {
        throw StreamError(
          "Times of frames must be in seconds, and \(taken) look like \(unit.name): divide them"
            + " by \(unit.perSecond).")
      }
      settled = steps.count >= 5 || taken.count >= 12
    } else {
      settled = true
    }
    times = taken
    return settled || long == 0
  }

  private func smallerUnit(_ steps: [Double]) -> (name: String, perSecond: Double)? {
    if steps.count < 3 { return nil }
    let median = steps[steps.count / 2]
    let unit = TimeUnit.units.first { median <= $0.longest }!
    if steps.count < 5, steps[0] * 1000 < unit.perSecond { return nil }
    let near = steps.filter { median / 2 <= $0 && $0 <= median * 2 }.count
    return median <= 1000 && 2 * near <= steps.count ? nil : (unit.name, unit.perSecond)
  }
}

/// Resizes a frame and crops the middle square, as the model was validated. See
/// export/cpp/frame_preparation.h.
private final class FramePreparation {
  private typealias Taps = (first: Int, weights: [Float])
  private let shortSide: Bool
  private let side, size: Int
  private var width = 0, height = 0
  private var rows: [Taps] = [], columns: [Taps] = []

  init(shortSide: Bool, side: Int, size: Int) {
    self.shortSide = shortSide
    self.side = side
    self.size = size
  }

  /// Takes bytes [height, width, 3]; returns bytes [size, size, 3].
  func prepare(_ rgb: [UInt8], width: Int, height: Int) -> [UInt8] {
    if (width, height) != (self.width, self.height) {
      // A camera's frames all have one size, so the weights are computed once.
      let high = shortSide ? max(side, height * side / width) : side
      let wide = shortSide ? max(side, width * side / height) : side
      let byArea = height >= high && width >= wide
      rows = taps(height, high, byArea)
      columns = taps(width, wide, byArea)
      (self.width, self.height) = (width, height)
    }
    var square: [UInt8] = []
    square.reserveCapacity(size * size * 3)
    var line = [Float](repeating: 0, count: width * 3)
    for row in rows {
      for j in line.indices { line[j] = 0 }
      for (i, weight) in row.weights.enumerated() {
        let start = (row.first + i) * width * 3
        for j in line.indices { line[j] += weight * Float(rgb[start + j]) }
      }
      for column in columns {
        for channel in 0..<3 {
          var sum: Float = 0
          for (i, weight) in column.weights.enumerated() {
            sum += weight * line[(column.first + i) * 3 + channel]
          }
          square.append(UInt8(min(max(sum.rounded(.toNearestOrEven), 0), 255)))
        }
      }
    }
    return square
  }

  private func taps(_ length: Int, _ resized: Int, _ byArea: Bool) -> [Taps] {
    let start = (resized - size) / 2
    let scale = Double(length) / Double(resized)
    return (start..<(start + size)).map { i in
      if byArea {
        let (from, to) = (Double(i) * scale, Double(i + 1) * scale)
        let first = Int(from), end = min(length, Int(to.rounded(.up)))
        return (first, (first..<end).map { pixel in
          Float((min(to, Double(pixel + 1)) - max(from, Double(pixel))) / scale)
        })
      }
      let center = min(max((Double(i) + 0.5) * scale - 0.5, 0), Double(length - 1))
      let first = Int(center)
      let share = Float(center - Double(first))
      return (first, share > 0 ? [1 - share, share] : [1])
    }
  }
}
