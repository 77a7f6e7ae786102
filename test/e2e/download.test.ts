import { downloads } from '../kit/download.ts';

downloads(5_000_000);
