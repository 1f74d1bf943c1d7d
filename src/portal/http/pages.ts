/** The built page, held in memory: nothing that a request says ever names a file. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { SystemError } from "../../model/errors.js";
import type { AnswerHeaders } from "./headers.js";

/** One file in one encoding. */
export interface Representation {
  readonly body: Buffer;
  readonly headers: AnswerHeaders;
}

interface Page {
  readonly plain: Representation;
  readonly gzipped?: Representation;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};
const COMPRESSED = new Set([".html", ".js", ".css", ".svg", ".json", ".txt"]);
/** Octets of all files. */
const TOTAL_MAX = 32 * 1024 * 1024;

/** The names of assets hold a hash of what is in them: they never change. */
const FOR_EVER = "public, max-age=31536000, immutable";
const ASK_AGAIN = "no-cache";

export class Pages {
  readonly #pages = new Map<string, Page>();

  /**
   * Reads `index.html`, `favicon.svg` and `assets/*`, and nothing else that is there.
   * @throws SystemError PORTAL_PAGES
   */
  constructor(directory: string) {
    let left = TOTAL_MAX;
    const add = (path: string, file: string, caching: string): void => {
      const body = readFileSync(join(directory, file));
      left -= body.length;
      if (left < 0) throw missing(directory, new Error("its files are too large"));
      this.#pages.set(path, pageOf(body, extname(file), caching));
    };
    try {
      add("/", "index.html", ASK_AGAIN);
      add("/favicon.svg", "favicon.svg", ASK_AGAIN);
      for (const entry of readdirSync(join(directory, "assets"), { withFileTypes: true })) {
        if (entry.isFile() && Object.hasOwn(TYPES, extname(entry.name))) {
          add(`/assets/${entry.name}`, `assets/${entry.name}`, FOR_EVER);
        }
      }
    } catch (cause) {
      throw cause instanceof SystemError ? cause : missing(directory, cause);
    }
  }

  get size(): number {
    return this.#pages.size;
  }

  /** @param path - as in the request, compared as it is. @param accepts - its Accept-Encoding */
  find(path: string, accepts: string | undefined): Representation | undefined {
    const page = this.#pages.get(path);
    return page?.gzipped !== undefined && takesGzip(accepts) ? page.gzipped : page?.plain;
  }
}

/** RFC 9110 §12.5.3, as far as it is of use here. */
const takesGzip = (accepts = ""): boolean => /(?:^|,)\s*gzip\s*(?:,|$|;\s*q=(?:1|0\.\d*[1-9]))/i.test(accepts);

/** RFC 9110 §13.1.2: compared weakly. */
export function isUnchanged(condition: string | undefined, etag: string | undefined): boolean {
  if (condition === undefined || etag === undefined) return false;
  return condition.split(",").some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "") === etag);
}

function pageOf(body: Buffer, extension: string, caching: string): Page {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 22);
  const type = TYPES[extension] ?? "application/octet-stream";
  const common = { "Content-Type": type, "Cache-Control": caching };
  const isCompressed = COMPRESSED.has(extension);
  const vary: AnswerHeaders = isCompressed ? { Vary: "Accept-Encoding" } : {};
  const plain = { body, headers: { ...common, ...vary, ETag: `"${hash}"` } };
  if (!isCompressed) return { plain };
  const headers = { ...common, ...vary, ETag: `"${hash}-gz"`, "Content-Encoding": "gzip" };
  return { plain, gzipped: { body: gzipSync(body, { level: 9 }), headers } };
}

function missing(directory: string, cause: unknown): SystemError {
  const remedy = "build the page with `npm run build`, or correct `pages:`";
  return new SystemError("PORTAL_PAGES", `there is no built page in ${directory}`, { remedy, cause });
}
