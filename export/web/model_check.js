/**
 * Returns how a model's signatures differ from its manifest, in words, or null.
 *
 * @param {import("./exported_file.js").ExportedFile} exported
 * @param {object} signatures those of LiteRT's compiled model, by name.
 */
export function difference(exported, signatures) {
  const missing = exported.signatures.find((name) => !(name in signatures));
  if (missing !== undefined) return `the model has no signature ${missing}`;
  const image = { dtype: exported.imageDtype, shape: exported.imageShape };
  const logits = { dtype: "float32", shape: [1, exported.labels.length] };
  const states = exported.states;
  const { classify } = signatures;
  const step = signatures[exported.stepSignature];
  const outputs = new Map(states);
  if (classify === undefined) outputs.set("logits", logits);
  let found =
    unlike("input", step.getInputDetails(), new Map([...states, ["image", image]])) ??
    unlike("output", step.getOutputDetails(), outputs);
  if (classify !== undefined) {
    const inputs = classify.getInputDetails();
    const names = inputs.map(({ name }) => name);
    const wanted = new Map([...states].filter(([name]) => names.includes(name)));
    found ??=
      unlike("input", inputs, wanted) ??
      unlike("output", classify.getOutputDetails(), new Map([["logits", logits]]));
  }
  return found;
}

function unlike(kind, details, wanted) {
  const found = new Map(details.map((each) => [each.name, each]));
  for (const name of [...new Set([...found.keys(), ...wanted.keys()])].sort()) {
    if (!found.has(name)) return `the model has no ${kind} ${name}`;
    if (!wanted.has(name)) return `the manifest has no ${kind} ${name}`;
    const [one, other] = [words(found.get(name)), words(wanted.get(name))];
    if (one !== other) return `${kind} ${name} is ${one} and not ${other}`;
  }
  return null;
}

function words({ dtype, shape }) {
  return `${dtype} [${[...shape].join(", ")}]`;
}
