//! Lines as tshark 4.0.17 printed them, trees, and hostile texts.
