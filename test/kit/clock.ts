/** The clock of tests; labs on virtual time run on the same. */
export { ManualClock, settlePromises } from '../../shared/device/manual-clock.ts';
