/** Keeps a defect of a role, or of what it wants sent, from taking the connection or the process down. */
import type { Logger } from "../../model/log.js";

/** False if `call` threw; that is logged under `what`. */
export function guarded(log: Logger, what: string, call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    log.error("cops.handler-failed", { what, error });
    return false;
  }
}
