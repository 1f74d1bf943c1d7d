/**
 * Whether this machine can do all of it, by doing it: the flow program is verified and compiled, and a program that does nothing is
 * attached to the loopback device, found there, replaced and detached.
 */
import { KernelError } from "../../model/errors.js";
import type { ProbeResult } from "../probe/outcome.js";
import { BpfMap } from "./bpf-map.js";
import { flowProgramTag, type LoadedProgram, loadAnchor, programById } from "./bpf-program.js";
import { attachEgress, detachEgress, queryEgress } from "./tcx.js";

/** Of `lo`, in every network namespace. */
const LOOPBACK = 1;
const NAME = "sluice_probe";

/** What a machine that has all this says when it is short of something. */
const PASSING: readonly (string | undefined)[] = ["ENOMEM", "EAGAIN", "EBUSY", "EINTR", "EMFILE", "ENFILE", "ERANGE"];

/** What an error of these calls means. Pure. @throws what is none of them. */
export function judgeBpfError(error: unknown): ProbeResult {
  if (!(error instanceof KernelError)) throw error;
  const evidence = error.message;
  switch (error.code) {
    case "KERNEL_PERMISSION":
      return { outcome: "unknown", evidence };
    case "KERNEL_UNSUPPORTED":
      return { outcome: "missing in tool", evidence };
    default:
      return { outcome: PASSING.includes(error.detail.errno) ? "unknown" : "missing in kernel", evidence };
  }
}

/** The program is there, and with it the map that only it holds. */
function findAgain(program: LoadedProgram): void {
  if (!queryEgress(LOOPBACK).programIds.includes(program.id)) {
    throw new KernelError("KERNEL_REFUSED", "an attached program is not listed", { operation: `find ${NAME}` });
  }
  const found = programById(program.id);
  try {
    for (const id of found.mapIds) BpfMap.byId(id).close();
  } finally {
    found.close();
  }
}

function attachForReal(): void {
  const map = BpfMap.create({ name: NAME, type: "hash", keyLength: 16, valueLength: 112, maxEntries: 1 });
  const programs: LoadedProgram[] = [];
  let attached: LoadedProgram | undefined;
  try {
    for (let turn = 0; turn < 2; turn += 1) {
      const program = loadAnchor([map], NAME);
      programs.push(program);
      attachEgress(LOOPBACK, program, attached);
      attached = program;
      findAgain(program);
    }
  } finally {
    if (attached !== undefined) detachEgress(LOOPBACK, attached);
    for (const program of programs) program.close();
    map.close();
  }
}

/** Rejects for defects alone. */
export async function probeEbpf(): Promise<ProbeResult> {
  try {
    flowProgramTag(14);
    flowProgramTag(0);
    attachForReal();
    return { outcome: "supported", evidence: "" };
  } catch (error) {
    return judgeBpfError(error);
  }
}
