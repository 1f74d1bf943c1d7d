/**
 * Key and certificate of a server, kept as they are in their files: whoever renews them replaces the files, and the server goes
 * on. A pair that cannot be used is not taken, and the former one stays.
 */
import { statSync } from "node:fs";
import type { Clock, Timer } from "../model/clock.js";
import { SluiceError, SystemError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { seconds } from "../model/units.js";
import { type KeyPair, type KeyPairPaths, readKeyPair } from "./key-pair.js";

export interface TlsFilesOptions {
  readonly paths: KeyPairPaths;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Files are replaced by renaming and by links to elsewhere: looking is surer than being told. */
const LOOK_EVERY = seconds(60);

export class TlsFiles {
  readonly #options: TlsFilesOptions;
  #pair: KeyPair;
  /** What the files looked like when they were read. */
  #seen: string;
  #fault: SluiceError | undefined;
  #renewed: (pair: KeyPair) => void = () => undefined;
  #timer: Timer | undefined;

  /** @throws SystemError TLS_FILES */
  constructor(options: TlsFilesOptions) {
    this.#options = options;
    this.#seen = appearanceOf(options.paths);
    this.#pair = readKeyPair(options.paths);
  }

  /** The one in use. */
  get pair(): KeyPair {
    return this.#pair;
  }

  /** Why what is in the files is not in use. */
  get fault(): SluiceError | undefined {
    return this.#fault;
  }

  /** Looks once a minute from now on. @param renewed - is to serve with the pair; if it throws, the pair is refused */
  watch(renewed: (pair: KeyPair) => void): void {
    this.#renewed = renewed;
    this.#arm();
  }

  /** Looks at the files now. */
  look(): void {
    const { paths, clock, log } = this.#options;
    const seen = appearanceOf(paths);
    // What was refused may be finished by now, or valid.
    if (seen === this.#seen && this.#fault === undefined) return;
    this.#seen = seen;
    try {
      const pair = readKeyPair(paths);
      if (!isSame(pair, this.#pair)) {
        checkTime(pair, paths, clock.now());
        this.#renewed(pair);
        this.#pair = pair;
        log.info("tls.renewed", { certificate: paths.certificate, until: new Date(pair.until).toISOString() });
      }
      this.#fault = undefined;
    } catch (error) {
      this.#refuse(error);
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #refuse(error: unknown): void {
    const { paths, log } = this.#options;
    const fault = error instanceof SluiceError ? error : unusable(paths, error);
    const isKnown = fault.message === this.#fault?.message;
    this.#fault = fault;
    if (isKnown) return;
    const { message: what, remedy, cause } = fault;
    const detail = cause === undefined ? {} : { cause: String(cause) };
    log.warn("tls.refused", { certificate: paths.certificate, what, remedy, ...detail });
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(LOOK_EVERY, () => {
      this.look();
      this.#arm();
    });
  }
}

/** Follows links. Not the contents: only what changes whenever they do. */
const appearanceOf = ({ key, certificate }: KeyPairPaths): string => [key, certificate].map(lookAt).join("\n");

function lookAt(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
  } catch (error) {
    return String(error);
  }
}

const isSame = (one: KeyPair, other: KeyPair): boolean =>
  one.key.equals(other.key) && one.certificate.equals(other.certificate);

/** @throws SystemError TLS_FILES */
function checkTime({ from, until }: KeyPair, { certificate }: KeyPairPaths, now: number): void {
  const time = until <= now ? "has run out" : from > now ? "is not valid yet" : undefined;
  if (time === undefined) return;
  const remedy = "put one there that is valid now; see also whether the clock is right";
  throw new SystemError("TLS_FILES", `the certificate in ${certificate} ${time}`, { remedy });
}

function unusable({ key, certificate }: KeyPairPaths, cause: unknown): SystemError {
  const remedy = "have both made anew";
  return new SystemError("TLS_FILES", `${key} and ${certificate} cannot be used`, { remedy, cause });
}
