/** How many pools every back end can tell apart: a pool's number becomes the minor number of its HTB class. */
import type { PoolId } from "./port.js";

export const MAX_POOL: PoolId = 0x7fff;
