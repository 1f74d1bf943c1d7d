/** Questions that callers ask of a kernel error. */
import { KernelError } from "../model/errors.js";

const hasErrno = (error: unknown, errno: string): boolean =>
  error instanceof KernelError && error.code !== "KERNEL_TOOL_MISSING" && error.detail.errno === errno;

/** The object is not there. */
export const isNotFound = (error: unknown): boolean => hasErrno(error, "ENOENT");
