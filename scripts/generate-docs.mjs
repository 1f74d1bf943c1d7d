#!/usr/bin/env node
/** Writes docs/config.md from the schemas. Run `npm run build` first: it reads the built code. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const reference = new URL("../dist/config/reference.js", import.meta.url);
const target = new URL("../docs/config.md", import.meta.url);

try {
  const { renderConfigReference } = await import(reference.href);
  writeFileSync(target, renderConfigReference());
  process.stderr.write(`wrote ${fileURLToPath(target)}\n`);
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  process.stderr.write("generate-docs.mjs: the code is not built; run `npm run build`\n");
  process.exitCode = 2;
}
