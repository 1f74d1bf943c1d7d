/** A call beside another's, between agents at ports of their own, that its parties leave to others to end. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { sessionIdOf } from "../../../src/model/session.js";
import type { Edits } from "./configs.js";
import { ROOT } from "./root.js";
import type { TestLab } from "./test-lab.js";
import { until } from "./until.js";

const SIP_PORT = 5062;
const MEDIA_PORT = 7000;
const CALLEE = "dave";
/** G.711: 8000 samples a second. */
const MEDIA = Buffer.alloc(20 * 8000, 0xd5);

/** Makes the callee known at its proxy. */
export const SECOND_CALLEE: Edits = {
  sip2: [[["sip", "users", CALLEE], `sip:10.3.0.10:${SIP_PORT}`]],
};

export interface SecondCall {
  readonly session: string;
  readonly callId: string;
  /** Resolves when both agents got the BYE that they wait for. */
  readonly over: Promise<void>;
}

/** From carl@a.example to dave@b.example. */
export async function secondCall(lab: TestLab): Promise<SecondCall> {
  const work = mkdtempSync(join(tmpdir(), `sluice-${lab.prefix}-second-`));
  writeFileSync(join(work, "media.ulaw"), MEDIA);
  const callId = `${randomBytes(8).toString("hex")}@second`;
  const fromTag = randomBytes(4).toString("hex");
  const agent = (host: "uac" | "uas", scenario: string, address: string, ...target: readonly string[]) => {
    const text = [
      ...["-sf", join(ROOT, `scripts/lab/sipp/${scenario}.xml`), ...target, "-i", address, "-mi", address],
      ...["-p", String(SIP_PORT), "-mp", String(MEDIA_PORT), "-m", "1", "-timeout", "25s", "-timeout_error"],
      ...["-nostdin", "-s", CALLEE, "-key", "caller", "carl", "-key", "caller_domain", "a.example"],
      ...["-key", "callee_domain", "b.example", "-key", "from_tag", fromTag, "-cid_str", callId],
      ...["-default_behaviors", "none"],
    ];
    return execa("ip", ["netns", "exec", `${lab.prefix}-${host}`, "sipp", ...text], { cwd: work, stdin: "ignore" });
  };
  const callee = agent("uas", "uas", "10.3.0.10");
  await until("the callee to listen", async () =>
    (await lab.lab.exec("uas", ["ss", "-Hlun"])).includes(`:${SIP_PORT}`),
  );
  const caller = agent("uac", "uac-waits-for-bye", "10.1.0.10", "10.1.0.5:5060");
  const over = Promise.all([callee, caller])
    .then(() => undefined)
    .finally(() => rmSync(work, { recursive: true, force: true }));
  // Looked at when the test asks for it.
  over.catch(() => undefined);
  return { session: sessionIdOf(callId, fromTag), callId, over };
}
