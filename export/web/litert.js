import { loadLiteRt, unloadLiteRt } from "@litertjs/core";

const FOLDER = new URL("./runtime/wasm/", import.meta.url).href;

let loaded = null;

/**
 * Loads the build of LiteRT that a processor needs, in place of another.
 *
 * @param {{kind: "cpu", threads: number} | {kind: "gpu"}} processor
 * @throws {Error} if this browser or the site's headers do not allow it.
 */
export async function loadRuntime(processor) {
  const build = buildFor(processor);
  if (build === loaded) return;
  if (loaded !== null) unloadLiteRt();
  loaded = null;
  try {
    await loadLiteRt(FOLDER, { threads: build === "threads", jspi: build === "jspi" });
  } catch (error) {
    throw new Error(`LiteRT cannot be loaded (${error.message}): reload the page.`);
  }
  loaded = build;
}

function buildFor(processor) {
  if (processor.kind === "cpu") return processor.threads > 1 ? "threads" : "plain";
  // Only this build lets the CPU compute what the GPU does not.
  return "Suspending" in WebAssembly ? "jspi" : "plain";
}

/** The processors that can be chosen here, the default first. */
export async function processors() {
  const cores = Math.min(navigator.hardwareConcurrency || 1, 4);
  const found = [{ kind: "cpu", threads: 1 }];
  // Threads need memory that they share, which browsers give to isolated pages alone.
  if (globalThis.crossOriginIsolated && cores > 1) found.push({ kind: "cpu", threads: cores });
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (adapter) found.push({ kind: "gpu" });
  return found;
}
