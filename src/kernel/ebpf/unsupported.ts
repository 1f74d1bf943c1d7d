import { KernelError } from "../../model/errors.js";

export const NFTABLES = "use the nftables back end";

/** What this back end cannot do, said before anything is touched. */
export function unsupported(object: string, why: string, remedy: string = NFTABLES): KernelError {
  const detail = { operation: `install ${object} with eBPF`, errno: "EOPNOTSUPP" };
  return new KernelError("KERNEL_UNSUPPORTED", `${object}: ${why}`, detail, { remedy });
}
