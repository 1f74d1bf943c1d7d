/** Whether a child keeps our process alive. */
import type { ChildProcess } from "node:child_process";

/** An idle child must not, one that is waited for must. */
export function setReferenced(child: ChildProcess, isNeeded: boolean): void {
  for (const handle of [child, ...child.stdio]) {
    // The streams of a child are sockets; their type does not say so. One that is closed would wait to be connected again.
    const counted = handle as { ref?: () => void; unref?: () => void; destroyed?: boolean } | null | undefined;
    if (counted?.destroyed === true) continue;
    if (isNeeded) counted?.ref?.();
    else counted?.unref?.();
  }
}
