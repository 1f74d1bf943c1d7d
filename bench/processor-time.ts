/** Time that processes had of the processor. */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Processes whose time is the path's: the senders', and that of the soft interrupts of the last processor, which `sender.c` takes. */
export function workers(senders: readonly number[]): readonly number[] {
  const name = `ksoftirqd/${cpus().length - 1}`;
  const isSoft = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "latin1").trim() === name;
    } catch {
      return false;
    }
  };
  const soft = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isSoft(pid));
  return [...senders, ...soft.map(Number)];
}

export const secondsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]), 0) / 1e9;
