/** docs/config.md is generated: it must be what the schemas say now. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderConfigReference } from "../../src/config/reference.js";

const PAGE = new URL("../../docs/config.md", import.meta.url);

it("docs/config.md is up to date (else: npm run build && node scripts/generate-docs.mjs)", () => {
  expect(readFileSync(PAGE, "utf8")).toBe(renderConfigReference());
});
