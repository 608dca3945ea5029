"""Which service to trust, measured on photos whose names are known.

Names are reconciled before they are compared: many an "error" of an earlier comparison was a synonym.
Every figure has a 95 % interval, and services are compared on the same photos. Sources:

- A. G. Hart et al., "Assessing the accuracy of free automated plant identification applications", People and
  Nature 5, 2023, and H. G. Jones, "What plant is that? …", AoB PLANTS 12, 2020 (first and among the first
  five; species, genus and family apart);
- C. Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3 (expected calibration error);
- G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950;
- Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017 (risk and
  coverage), and Y. Geifman, G. Uziel and R. El-Yaniv, ICLR 2019 (the area under that curve);
- B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13 (percentile intervals);
- Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
  Psychometrika 12, 1947 (here exact).
"""
