import { ComparedRunner } from "./compared_runner.js";
import { loadRuntime } from "./litert.js";
import { inOneLine, LiteRtRunner, ON_GPU, onCpu } from "./litert_runner.js";
import { StreamSession } from "./stream_session.js";

/**
 * Opens a session of an exported file in this browser.
 *
 * @param {import("./exported_file.js").ExportedFile} exported
 * @param {{kind: "cpu", threads: number} | {kind: "gpu"}} processor
 * @param {{maxGap?: number, warn?: function(string): void}} options as for StreamSession;
 *     `warn` also receives what the first steps on a GPU showed.
 * @returns {Promise<StreamSession>}
 */
export async function openStream(
  exported,
  processor = { kind: "cpu", threads: 1 },
  options = {},
) {
  await loadRuntime(processor);
  const runner =
    processor.kind === "gpu"
      ? await gpuRunner(exported, options.warn ?? (() => {}))
      : await LiteRtRunner.open(exported, onCpu(processor.threads));
  try {
    return new StreamSession(exported, runner, options);
  } catch (error) {
    // LiteRT.js frees nothing by itself.
    runner.close();
    throw error;
  }
}

async function gpuRunner(exported, tell) {
  const cpu = await LiteRtRunner.open(exported, onCpu(1));
  try {
    return new ComparedRunner(await LiteRtRunner.open(exported, ON_GPU), cpu, tell);
  } catch (error) {
    // The CPU has opened it, so it is not damaged.
    const reason = inOneLine(error.cause ?? error);
    tell(`The GPU cannot run this model (${reason}): the CPU computes instead.`);
    return cpu;
  }
}
