// Builds the portal's page: src/portal/web into dist/portal (or the folder that is named), assets by the hash of what is in them.
import { readFileSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL("../src/portal/web/", import.meta.url));
const TARGET = process.argv[2] ?? fileURLToPath(new URL("../dist/portal/", import.meta.url));
/** Octets of everything together, each file gzipped. */
const SIZE_MAX = 250_000;

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [join(SOURCE, "main.ts"), join(SOURCE, "style.css")],
    outdir: "out",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: ["chrome120", "firefox121", "safari17.4"],
    sourcemap: false,
    legalComments: "none",
  });
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), contents: Buffer.from(contents) }));
}

function hashed(name, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 12);
  const end = extname(name);
  return `${basename(name, end)}-${hash}${end}`;
}

const files = new Map();
let page = readFileSync(join(SOURCE, "index.html"), "utf8");
for (const { name, contents } of await bundle()) {
  const path = `assets/${hashed(name, contents)}`;
  files.set(path, contents);
  page = page.replaceAll(`/${name}"`, `/${path}"`);
}
files.set("index.html", Buffer.from(page));
files.set("favicon.svg", await readFile(join(SOURCE, "favicon.svg")));

rmSync(join(TARGET, "assets"), { recursive: true, force: true });
await mkdir(join(TARGET, "assets"), { recursive: true });
for (const [path, contents] of files) await writeFile(join(TARGET, path), contents);

const size = [...files.values()].reduce((sum, contents) => sum + gzipSync(contents).length, 0);
process.stderr.write(`build-web.mjs: ${files.size} files, ${size} octets gzipped, into ${TARGET}\n`);
if (size > SIZE_MAX) {
  process.stderr.write(`build-web.mjs: that is more than ${SIZE_MAX}\n`);
  process.exitCode = 1;
}
