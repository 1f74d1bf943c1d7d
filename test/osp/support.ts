/** Keys as the lab makes them, and messages that tests share. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { SessionId } from "../../src/model/session.js";
import type { Timestamp } from "../../src/model/units.js";
import { parseTimestamp } from "../../src/osp/codec/fields.js";
import type { TransactionId } from "../../src/osp/codec/messages.js";

export interface KeyFiles {
  readonly directory: string;
  readonly keyPem: Buffer;
  readonly certificatePem: Buffer;
  remove(): Promise<void>;
}

/** A key and a self-signed certificate, by the openssl command. */
export async function makeKey(name = "ch.lab", kind: readonly string[] = P256): Promise<KeyFiles> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-osp-test-"));
  const key = join(directory, "ch.key");
  const certificate = join(directory, "ch.crt");
  const subject = ["-subj", `/CN=${name}`, "-days", "3650"];
  await execa("openssl", ["req", "-x509", ...kind, "-nodes", ...subject, "-keyout", key, "-out", certificate]);
  return {
    directory,
    keyPem: await readFile(key),
    certificatePem: await readFile(certificate),
    remove: () => rm(directory, { recursive: true }),
  };
}

const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

export const at = (text: string): Timestamp => {
  const time = parseTimestamp(text);
  if (time === undefined) throw new Error(`bad time in test: ${text}`);
  return time;
};

export const CALL_ID = Buffer.from("a1@192.0.2.1");
export const SESSION = "0123456789abcdef" as SessionId;
export const NOW = at("2026-01-02T03:04:05Z");
export const txid = (text: string): TransactionId => text as TransactionId;
