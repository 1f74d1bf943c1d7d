/** Two SIPp processes by hand, for what `netns-lab.sh call` has no option for. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { sessionIdOf } from "../../../src/model/session.js";
import { ROOT } from "./root.js";
import type { TestLab } from "./test-lab.js";
import { until } from "./until.js";

/** G.711 in 20 ms packets: 160 samples each. */
const SAMPLES_PER_SECOND = 8000;

/** A call whose media has other addresses than its signalling. @returns the session; @throws Error if it did not succeed */
export async function callWithMediaAt(
  lab: TestLab,
  media: { readonly uac: string; readonly uas: string },
  seconds: number,
): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), `sluice-${lab.prefix}-sipp-`));
  writeFileSync(join(work, "media.ulaw"), Buffer.alloc(seconds * SAMPLES_PER_SECOND, 0xd5));
  const callId = `${randomBytes(8).toString("hex")}@lab`;
  const fromTag = randomBytes(4).toString("hex");
  const agent = (host: "uac" | "uas", address: string, ...target: readonly string[]) => {
    const text = [
      ...["-sf", join(ROOT, `scripts/lab/sipp/${host}.xml`), ...target, "-i", address, "-mi", media[host]],
      ...["-p", "5060", "-mp", "6000", "-m", "1", "-d", String(seconds * 1000 + 400), "-timeout", "30s"],
      ...["-timeout_error", "-nostdin", "-s", "bob", "-key", "caller", "alice", "-key", "caller_domain", "a.example"],
      ...["-key", "callee_domain", "b.example", "-key", "from_tag", fromTag, "-cid_str", callId],
      ...["-default_behaviors", "none"],
    ];
    return execa("ip", ["netns", "exec", `${lab.prefix}-${host}`, "sipp", ...text], { cwd: work, stdin: "ignore" });
  };
  try {
    const callee = agent("uas", "10.3.0.10");
    await until("the callee to listen", async () => (await lab.lab.exec("uas", ["ss", "-Hlun"])).includes(":5060"));
    await Promise.all([callee, agent("uac", "10.1.0.10", "10.1.0.5:5060")]);
    return sessionIdOf(callId, fromTag);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
