/** Every op and gradient on the CPU device. */
import { opSuite } from './op-suite.ts';

opSuite('cpu', 1);
